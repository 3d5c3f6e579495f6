using System.CommandLine;
using System.Globalization;
using Serve.Core.Configuration.Tokens;

namespace Serve.Frontend.Commands;

/// <summary><c>serve token</c>: makes tokens, and the lines for a server's file that do not give them away.</summary>
internal static class TokenCommand
{
    // A hundred years: whoever wants more wants for ever.
    private const int MostDays = 36_525;

    public static Command Create()
    {
        var command = new DocumentedCommand("token", "Makes tokens and their hashes. Needs no server.", """
            serve token create
            serve token hash < token.txt
            """)
        {
            CreateCreate(),
            CreateHash(),
        };
        return command;
    }

    private static DocumentedCommand CreateCreate()
    {
        var days = new Option<int?>("--expires-in-days") { HelpName = "DAYS", Description = "How long it is valid [default: for ever]" };
        days.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > MostDays) result.AddError($"--expires-in-days: give a number from 1 to {MostDays}.");
        });
        var command = new DocumentedCommand("create", "Prints a new random token, and the line for a file of the server's (inferenceTokens, managementTokens).", """
            serve token create --expires-in-days 90
            """) { days };
        command.SetAction(arguments =>
        {
            var token = AccessToken.NewText();
            var expires = arguments.GetValue(days) is { } count ? DateTimeOffset.UtcNow.AddDays(count).ToString("' expires='yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "";
            var screen = new Screen(arguments.InvocationConfiguration.Output);
            screen.Line($"token: {token}");
            screen.Line($"line:  {AccessToken.HashText(token)}{expires}");
            return ExitCode.Success;
        });
        return command;
    }

    private static DocumentedCommand CreateHash()
    {
        var command = new DocumentedCommand("hash", "Reads a token from standard input and prints its hash, as a server's file takes it.", """
            serve token hash < token.txt
            """);
        command.SetAction(arguments =>
        {
            var token = (Console.In.ReadLine() ?? "").Trim();
            if (AccessToken.Parse(token, out var fault) is null) throw new CommandException(ExitCode.Usage, $"{char.ToUpperInvariant(fault[0])}{fault[1..]}.");
            new Screen(arguments.InvocationConfiguration.Output).Line(AccessToken.HashText(token));
            return ExitCode.Success;
        });
        return command;
    }
}
