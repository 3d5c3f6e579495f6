namespace Serve.Frontend.Tuning;

/// <summary>Where settings are loaded and asked: servers on this machine, or in tests a model of them with a clock of its own.</summary>
internal interface ITuneMachine
{
    /// <summary>Whether the memory suffices for all of these at once.</summary>
    bool HasRoomFor(IReadOnlyCollection<TuneSetting> settings);

    /// <summary>Loads a setting unless it is there; others stay if they are to be beside it, and are unloaded if not.</summary>
    /// <returns>Why it does not start; null: it has.</returns>
    string? Load(TuneSetting setting, IReadOnlyCollection<TuneSetting> beside);

    /// <summary>Asks a loaded setting for a while, in a closed loop; nothing else is asked meanwhile.</summary>
    TuneTurn Run(TuneSetting setting, int clients, TuneStretch stretch);
}

/// <summary>How long a setting is asked.</summary>
/// <param name="WarmUp">Before anything counts.</param>
/// <param name="Window">How long a window is.</param>
/// <param name="MostWindows">When there are so many the last ones count, whether they agree or not.</param>
/// <param name="Tolerance">How far windows may differ to agree.</param>
/// <param name="EnoughAnswers">Ends as soon as there are so many, and all windows count; 0: does not.</param>
internal readonly record struct TuneStretch(TimeSpan WarmUp, TimeSpan Window, int MostWindows = 1, double Tolerance = 0, long EnoughAnswers = 0);
