using System.Globalization;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>GET /models</c>: the default versions, by name, a page at a time.</summary>
internal sealed class ListModels(ModelRegistry registry)
{
    private const int LargestPage = 100;

    public Task HandleAsync(HttpContext context) =>
        PrettyJson.WriteAsync(context, StatusCodes.Status200OK, List(RequestParameters.FromQuery(context)), ManagementJson.Default.ModelList);

    /// <summary>The page that the parameters ask for.</summary>
    public ModelList List(RequestParameters parameters)
    {
        var limit = parameters.Integer("limit", least: 0) ?? LargestPage;
        var first = parameters.Integer("next_page_token", least: 0) ?? 0;
        var (names, next) = Page(registry.Names, first, limit);

        var models = new List<ModelListEntry>(names.Count);
        foreach (var name in names)
        {
            // A model may be unregistered while the list is made.
            if (Find(name) is { } version) models.Add(new ModelListEntry(version.Name, version.Url));
        }

        return new ModelList(next, models);
    }

    /// <summary>A page of names, and the token of the next one: none after the last.</summary>
    internal static (IReadOnlyList<string> Names, string? Next) Page(IReadOnlyList<string> names, int first, int limit)
    {
        var size = Math.Min(limit, LargestPage);
        var page = names.Skip(first).Take(size).ToList();
        var end = (long)first + size;
        return (page, end < names.Count ? end.ToString(CultureInfo.InvariantCulture) : null);
    }

    private ModelDescription? Find(string name)
    {
        try
        {
            return registry.Resolve(name).Describe();
        }
        catch (ModelNotFoundException)
        {
            return null;
        }
    }
}
