using System.Reflection;

namespace Serve.Tests.Compatibility;

/// <summary>How Serve stands to a rule of TorchServe's.</summary>
internal enum Outcome
{
    /// <summary>The same.</summary>
    Same,

    /// <summary>Otherwise, on purpose.</summary>
    Differs,

    /// <summary>Not there yet.</summary>
    Later,

    /// <summary>It will not be there.</summary>
    Not,
}

/// <summary>A check against the running server; throws if Serve does not do what the row says.</summary>
internal delegate Task Check(CompatibilityServer server);

/// <summary>One rule of TorchServe's, how Serve stands to it, and what shows that this is true.</summary>
/// <param name="Rule">TorchServe's behaviour.</param>
/// <param name="Outcome">How Serve stands to it.</param>
/// <param name="Note">What Serve does instead, or why it does not.</param>
internal sealed record Row(string Rule, Outcome Outcome, string Note)
{
    /// <summary>The check; null where another test is the evidence, or there is nothing to check.</summary>
    public Check? Check { get; private init; }

    /// <summary>Another test that shows it, with a server of its own.</summary>
    public Evidence? Evidence { get; private init; }

    public static Row Same(string rule, Check check, string note = "") => new(rule, Outcome.Same, note) { Check = check };

    public static Row Same(string rule, Evidence evidence, string note = "") => new(rule, Outcome.Same, note) { Evidence = evidence };

    public static Row Differs(string rule, string instead, Check check) => new(rule, Outcome.Differs, instead) { Check = check };

    public static Row Differs(string rule, string instead, Evidence evidence) => new(rule, Outcome.Differs, instead) { Evidence = evidence };

    public static Row Later(string rule, string note = "") => new(rule, Outcome.Later, note);

    /// <summary>One that comes later and is checked not to be there: who adds it has to change the row.</summary>
    public static Row Later(string rule, Check isNotThere) => new(rule, Outcome.Later, "") { Check = isNotThere };

    public static Row Not(string rule, string why) => new(rule, Outcome.Not, why);
}

/// <summary>A test of this project.</summary>
internal sealed record Evidence(Type Class, string Method)
{
    public static Evidence In<T>(string method) => new(typeof(T), method);

    /// <summary>Whether it is there and runs.</summary>
    public bool IsTest => Class.GetMethod(Method)?.GetCustomAttributes<FactAttribute>().Any() == true;
}

/// <summary>A section of TorchServe's interfaces.</summary>
internal sealed record Section(string Number, string Title, IReadOnlyList<Row> Rows);
