using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using Serve.Frontend.Grpc;
using Serve.Management.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// The lines with grpcurl in the documentation: their services, methods and fields are those that the server's reflection
/// tells, which is where grpcurl has them from; and what changes nothing is called.
/// </summary>
public sealed partial class GrpcApiTests
{
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(static bytes => bytes, static bytes => bytes);

    private static readonly IReadOnlyList<ServiceDescriptor> Known = [.. PredictionsRequest.Descriptor.File.Services, .. RegisterModelRequest.Descriptor.File.Services];

    public static TheoryData<string> Lines => [.. File.ReadLines(Path.Combine(Repository.Root, "docs", "grpc.md")).Where(line => line.StartsWith("$ grpcurl ", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Lines))]
    public async Task A_line_of_the_documentation_names_what_there_is(string line)
    {
        var command = Command().Match(line);
        Assert.True(command.Success, line);
        using var channel = GrpcChannel.ForAddress(command.Groups["port"].Value == "7070" ? _server.GrpcInference : _server.GrpcManagement);
        var (service, name) = (command.Groups["service"].Value, command.Groups["method"].Value);

        var method = (await ServiceAsync(channel, service)).FindMethodByName(name);
        Assert.NotNull(method);
        Assert.False(method.IsServerStreaming || method.IsClientStreaming);
        var request = Fields(command.Groups["json"], Known.Single(known => known.FullName == service).FindMethodByName(name).InputType, method.InputType);
        if (name is "RegisterModel" or "ScaleWorker") return;

        var call = new Method<byte[], byte[]>(MethodType.Unary, service, name, Bytes, Bytes);
        var answer = await channel.CreateCallInvoker().AsyncUnaryCall(call, null, new Grpc.Core.CallOptions(cancellationToken: Cancellation), request);
        Assert.NotEmpty(answer);
    }

    // As a shell and grpcurl read them; an unknown field is an error. Only generated code can read JSON.
    private static byte[] Fields(Group json, MessageDescriptor type, MessageDescriptor told)
    {
        if (!json.Success) return [];
        var text = json.Value.StartsWith('"') ? json.Value[1..^1].Replace("\\\"", "\"", StringComparison.Ordinal) : json.Value[1..^1];
        text = Substituted().Replace(text, match => Convert.ToBase64String(File.ReadAllBytes(Path.Combine(Repository.Root, match.Groups[1].Value))));
        Assert.All(JsonDocument.Parse(text).RootElement.EnumerateObject(), field => Assert.NotNull(told.FindFieldByName(field.Name)));
        return JsonParser.Default.Parse(text, type).ToByteArray();
    }

    private static async Task<ServiceDescriptor> ServiceAsync(GrpcChannel channel, string name)
    {
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(new() { FileContainingSymbol = name }, Cancellation);
        await call.RequestStream.CompleteAsync();
        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        var files = call.ResponseStream.Current.FileDescriptorResponse.FileDescriptorProto;
        return FileDescriptor.BuildFromByteStrings(InOrder(files)).SelectMany(file => file.Services).Single(service => service.FullName == name);
    }

    // Each after those that it needs.
    private static List<ByteString> InOrder(IEnumerable<ByteString> files)
    {
        var left = files.Select(bytes => (Bytes: bytes, File: FileDescriptorProto.Parser.ParseFrom(bytes))).DistinctBy(file => file.File.Name).ToList();
        var ordered = new List<(ByteString Bytes, FileDescriptorProto File)>();
        while (left.Count > 0)
        {
            var next = left.First(file => file.File.Dependency.All(name => ordered.Any(done => done.File.Name == name)));
            left.Remove(next);
            ordered.Add(next);
        }

        return [.. ordered.Select(file => file.Bytes)];
    }

    [GeneratedRegex("""^\$ grpcurl -plaintext (-d (?<json>'[^']+'|"(\\"|[^"])+") )?127\.0\.0\.1:(?<port>\d+) (?<service>[\w.]+)/(?<method>\w+)$""")]
    private static partial Regex Command();

    [GeneratedRegex(@"\$\(base64 -w0 (\S+)\)")]
    private static partial Regex Substituted();
}
