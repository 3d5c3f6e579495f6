using System.Globalization;
using Serve.Core.Configuration;
using Serve.Core.Errors;

namespace Serve.Core.Models;

/// <summary>What a registration sets goes before the model's own configuration.</summary>
internal static class RegistrationSettings
{
    /// <summary>The configuration to serve with, checked by the rules of the file's keys.</summary>
    /// <returns>It, and what of the request's values has no effect.</returns>
    /// <exception cref="BadRequestException">Every wrong value, named by its parameter.</exception>
    public static (ModelConfiguration Configuration, IReadOnlyList<string> Warnings) Apply(ModelSource source, RegistrationRequest request)
    {
        Dictionary<string, string> values = new(request.Overrides ?? new Dictionary<string, string>(), StringComparer.Ordinal);
        Add("handler", request.Handler);
        Add("batchSize", request.BatchSize?.ToString(CultureInfo.InvariantCulture));
        Add("maxBatchDelay", Milliseconds(request.MaxBatchDelay));
        Add("responseTimeout", Milliseconds(request.ResponseTimeout));
        Add("startupTimeout", Milliseconds(request.StartupTimeout));
        if (values.Count == 0) return (source.Configuration, []);
        try
        {
            var read = ModelConfigurationReader.Override(source.Configuration, source.WrittenKeys, values, key => request.Overrides?.ContainsKey(key) == true ? "config" : $"parameter {ParameterOf(key)}");
            return (read.Configuration, read.Warnings);
        }
        catch (ConfigurationException error)
        {
            // The request's values are wrong, not the model.
            throw new BadRequestException(error.Message, error);
        }

        void Add(string key, string? value)
        {
            if (value is not null) values[key] = value;
        }

        static string? Milliseconds(TimeSpan? value) => value is { } span ? $"{(long)span.TotalMilliseconds}ms" : null;
        static string ParameterOf(string key) => string.Concat(key.Select(letter => char.IsUpper(letter) ? $"_{char.ToLowerInvariant(letter)}" : letter.ToString()));
    }

    /// <summary>How many workers a registration wants; null: as many as the model's configuration says.</summary>
    /// <exception cref="BadRequestException">A number that is out of range.</exception>
    public static WorkerRange? Workers(ModelSource source, RegistrationRequest request)
    {
        if (request.InitialWorkers is null && source.SaysWorkers) return null;

        var workers = request.InitialWorkers ?? 0;
        if (workers is < 0 or > ModelConfigurationReader.MaxWorkers) throw new BadRequestException($"initial_workers is {workers}; it must be 0 to {ModelConfigurationReader.MaxWorkers}.");
        return new WorkerRange(workers, Math.Max(workers, source.SaysMostWorkers ? source.Configuration.MaxWorkers : workers));
    }

    /// <summary>Checks numbers of workers.</summary>
    /// <exception cref="BadRequestException">One is out of range.</exception>
    public static void CheckWorkers(int minWorkers, int maxWorkers)
    {
        if (minWorkers < 0) throw new BadRequestException($"min_worker is {minWorkers}; it must be 0 or more.");
        if (maxWorkers < minWorkers) throw new BadRequestException("max_worker cannot be less than min_worker.");
        if (maxWorkers > ModelConfigurationReader.MaxWorkers) throw new BadRequestException($"max_worker is {maxWorkers}; it must be at most {ModelConfigurationReader.MaxWorkers}.");
    }
}

/// <summary>How many workers a version has.</summary>
/// <param name="Min">At least.</param>
/// <param name="Max">At most.</param>
internal sealed record WorkerRange(int Min, int Max);
