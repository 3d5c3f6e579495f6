using Google.Protobuf.Collections;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Frontend.OpenInference.Messages;
using Value = Serve.Frontend.OpenInference.Messages.LogSettingsResponse.Types.SettingValue;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>
/// The log's settings in the protocol's words, over the one level that Serve has: <c>error</c>, <c>warning</c> and
/// <c>information</c> are the switches, <c>debug</c> and <c>trace</c> the verbose levels 1 and 2. A level includes those above
/// it; what would need another order is refused.
/// </summary>
internal sealed class LogSettings(LogLevelSwitch level)
{
    private const int MostVerbose = 2;

    /// <summary>All settings, as they are.</summary>
    public LogSettingsResponse Current
    {
        get
        {
            var minimum = level.Minimum;
            return new LogSettingsResponse
            {
                Settings =
                {
                    ["log_file"] = new Value { StringParam = "" },
                    ["log_info"] = new Value { BoolParam = minimum <= LogLevel.Information },
                    ["log_warning"] = new Value { BoolParam = minimum <= LogLevel.Warning },
                    ["log_error"] = new Value { BoolParam = true },
                    ["log_verbose_level"] = new Value { Uint32Param = Verbosity(minimum) },
                    ["log_format"] = new Value { StringParam = "ISO8601" },
                },
            };
        }
    }

    /// <summary>Changes some settings, and answers with all of them.</summary>
    /// <exception cref="ServeException">400: a name or a value that there is not; 501: one that cannot be changed here. Nothing was changed.</exception>
    public LogSettingsResponse Change(MapField<string, LogSettingsRequest.Types.SettingValue> changes)
    {
        var minimum = level.Minimum;
        var (info, warning, verbosity) = (minimum <= LogLevel.Information, minimum <= LogLevel.Warning, Verbosity(minimum));
        foreach (var (name, value) in changes)
        {
            switch (name)
            {
                case "log_info":
                    info = Flag(name, value);
                    break;
                case "log_warning":
                    warning = Flag(name, value);
                    break;
                case "log_error":
                    if (!Flag(name, value)) throw new BadRequestException("log_error cannot be false: errors are always logged.");
                    break;
                case "log_verbose_level":
                    verbosity = value.HasUint32Param ? value.Uint32Param : throw Wrong(name, $"a whole number from 0 to {MostVerbose}");
                    break;
                case "log_file":
                    throw new NotAvailableException("log_file: the file is the configuration's (logging.folder); it is not changed over the network.");
                case "log_format":
                    if (!value.HasStringParam || value.StringParam != "ISO8601") throw new NotAvailableException("log_format: the server has one, ISO8601.");
                    break;
                default:
                    throw new BadRequestException($"There is no log setting '{ShownText.Of(name)}'; there are {string.Join(", ", Current.Settings.Keys.Order(StringComparer.Ordinal))}.");
            }
        }

        if (verbosity > MostVerbose) throw Wrong("log_verbose_level", $"a whole number from 0 to {MostVerbose}");
        if (info && !warning) throw new BadRequestException("log_info without log_warning is not possible: a level includes those above it.");
        if (verbosity > 0 && !info) throw new BadRequestException("log_verbose_level without log_info is not possible: a level includes those above it.");
        level.Minimum = verbosity switch
        {
            MostVerbose => LogLevel.Trace,
            1 => LogLevel.Debug,
            _ => info ? LogLevel.Information : warning ? LogLevel.Warning : LogLevel.Error,
        };
        return Current;
    }

    private static uint Verbosity(LogLevel minimum) => minimum switch
    {
        LogLevel.Trace => MostVerbose,
        LogLevel.Debug => 1,
        _ => 0,
    };

    private static bool Flag(string name, LogSettingsRequest.Types.SettingValue value) => value.HasBoolParam ? value.BoolParam : throw Wrong(name, "true or false");

    private static BadRequestException Wrong(string name, string right) => new($"The value of {name} must be {right}.");
}
