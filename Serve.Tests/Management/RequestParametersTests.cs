using System.Text;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;
using Serve.Management.Rest;

namespace Serve.Tests.Management;

public sealed class RequestParametersTests
{
    [Fact]
    public async Task Query_and_JSON_mean_the_same()
    {
        var query = RegisterModel.Read(await ReadAsync("?url=m.mar&model_name=m&handler=tensor&batch_size=4&max_batch_delay=50&initial_workers=2&response_timeout=3&startup_timeout=9&synchronous=false"));
        var json = RegisterModel.Read(await ReadAsync("", """
            {"url": "m.mar", "model_name": "m", "handler": "tensor", "batch_size": 4, "max_batch_delay": "50",
             "initial_workers": 2, "response_timeout": 3, "startup_timeout": 9, "synchronous": false}
            """));
        Assert.Equal(query, json);
        Assert.Equal(new RegistrationRequest
        {
            Url = "m.mar",
            ModelName = "m",
            Handler = "tensor",
            BatchSize = 4,
            MaxBatchDelay = TimeSpan.FromMilliseconds(50),
            InitialWorkers = 2,
            ResponseTimeout = TimeSpan.FromSeconds(3),
            StartupTimeout = TimeSpan.FromSeconds(9),
            Synchronous = false,
        }, query);
    }

    [Fact]
    public async Task What_is_not_said_is_left_to_the_model()
    {
        var request = RegisterModel.Read(await ReadAsync("?url=m&response_timeout=-1"));
        Assert.Equal(new RegistrationRequest { Url = "m", Synchronous = true }, request);
    }

    [Theory]
    [InlineData("?url=m&batch_size=dd", "Parameter batch_size must be a whole number, not \"dd\".")]
    [InlineData("?url=m&batch_size=4.0", "Parameter batch_size must be a whole number, not \"4.0\".")]
    [InlineData("?url=m&batch_size=99999999999", "Parameter batch_size must be a whole number, not \"99999999999\".")]
    [InlineData("?url=m&initial_workers=-2", "Parameter initial_workers must be at least 0, not -2.")]
    [InlineData("?url=m&url=n", "Parameter url is given 2 times.")]
    [InlineData("?url=m&model_name=", "Parameter model_name must not be empty.")]
    [InlineData("?url=m&s3_sse_kms=1", "Parameter s3_sse_kms must be true or false, not \"1\".")]
    public async Task A_wrong_value_is_named(string query, string message) =>
        Assert.Equal(message, (await Assert.ThrowsAsync<BadRequestException>(async () => RegisterModel.Read(await ReadAsync(query)))).Message);

    [Theory]
    [InlineData("[1]", "must be an object")]
    [InlineData("{", "not valid JSON")]
    [InlineData("{\"url\": [1]}", "Parameter url must be a single value, not a list.")]
    public async Task A_wrong_JSON_body_is_named(string json, string message) =>
        Assert.Contains(message, (await Assert.ThrowsAsync<BadRequestException>(async () => RegisterModel.Read(await ReadAsync("", json)))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_huge_JSON_body_is_refused()
    {
        var refused = await Assert.ThrowsAsync<PayloadTooLargeException>(async () => await ReadAsync("", "{\"url\": \"" + new string('x', 300_000) + "\"}"));

        // No setting is named: none changes it.
        Assert.Equal("The request body is larger than the limit of 262144 bytes.", refused.Message);
    }

    [Theory]
    [InlineData(0, 0, new[] { 0 }, "0")]
    [InlineData(0, 2, new[] { 0, 1 }, "2")]
    [InlineData(2, 2, new[] { 2, 3 }, "4")]
    [InlineData(4, 2, new[] { 4 }, null)]
    [InlineData(3, 2, new[] { 3, 4 }, null)]
    [InlineData(9, 2, new int[0], null)]
    [InlineData(0, 1000, new[] { 0, 1, 2, 3, 4 }, null)]
    [InlineData(int.MaxValue, 100, new int[0], null)]
    public void Pages_end_without_a_token(int first, int limit, int[] expected, string? next)
    {
        var page = ListModels.Page(["0", "1", "2", "3", "4"], first, limit);
        if (limit == 0) expected = [];
        Assert.Equal(expected.Select(i => $"{i}"), page.Names);
        Assert.Equal(next, page.Next);
    }

    private static async Task<RequestParameters> ReadAsync(string query, string? json = null)
    {
        var context = new DefaultHttpContext();
        context.Request.QueryString = new QueryString(query);
        if (json is not null)
        {
            context.Request.ContentType = "application/json";
            context.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(json));
        }

        return await RequestParameters.ReadAsync(context);
    }
}
