using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>
/// Binds the two methods that run models to <see cref="InferService"/>, with readers and writers of their own in place of the
/// generated ones, which copy each tensor twice more.
/// </summary>
/// <param name="infer">The service.</param>
internal sealed class InferMethods(InferService infer) : IServiceMethodProvider<InferService>
{
    /// <summary>The name of the protocol's service.</summary>
    public const string Service = "inference.GRPCInferenceService";

    private static readonly Marshaller<TensorMessage> Response = new(TensorMessage.WriteResponse, static _ => throw new NotSupportedException("The server writes answers."));
    private static readonly Marshaller<TensorMessage> Streamed = new(TensorMessage.WriteStreamed, static _ => throw new NotSupportedException("The server writes answers."));

    private readonly Marshaller<TensorCall> _call = new(static (_, _) => throw new NotSupportedException("The server reads requests."), context => TensorCall.Read(context.PayloadAsReadOnlySequence(), infer.BodiesOf));

    public void OnServiceMethodDiscovery(ServiceMethodProviderContext<InferService> context)
    {
        context.AddUnaryMethod(
            new Method<TensorCall, TensorMessage>(MethodType.Unary, Service, "ModelInfer", _call, Response),
            [],
            static (service, call, server) => service.InferAsync(call, server));
        context.AddDuplexStreamingMethod(
            new Method<TensorCall, TensorMessage>(MethodType.DuplexStreaming, Service, "ModelStreamInfer", _call, Streamed),
            [],
            static (service, calls, responses, server) => service.StreamAsync(calls, responses, server));
    }
}

/// <summary>Adds the methods to a listener.</summary>
internal static class InferMethodsExtensions
{
    /// <summary>Adds the service.</summary>
    public static void AddOpenInferenceInfer(this IServiceCollection services, InferService service)
    {
        services.AddSingleton(service);
        services.AddSingleton<IServiceMethodProvider<InferService>, InferMethods>();
    }

    /// <summary>Maps the methods, before those of the same names that the generated service has.</summary>
    public static void MapOpenInferenceInfer(this IEndpointRouteBuilder routes) => routes.MapGrpcService<InferService>().Add(endpoint =>
    {
        // Also the answer to methods that the service does not have: of that one, the other service's comes first.
        if (endpoint is RouteEndpointBuilder route) route.Order = route.RoutePattern.Parameters.Count == 0 ? -1 : 1;
    });
}
