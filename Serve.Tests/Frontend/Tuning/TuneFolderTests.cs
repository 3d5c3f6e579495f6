using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

public sealed class TuneFolderTests
{
    [Fact]
    public void What_a_killed_tuner_has_left_is_deleted_and_what_is_in_use_is_not()
    {
        using var temporary = new TemporaryFolder();
        using var store = new TemporaryFolder();
        using var live = TuneFolder.CreateIn(store.Path);

        // A killed process leaves its files, and no lock.
        var left = Directory.CreateDirectory(Path.Combine(temporary.Path, "serve-tune-abc", "store", "m", "1.0")).FullName;
        File.WriteAllText(Path.Combine(left, "model.onnx"), "x");
        File.WriteAllText(Path.Combine(temporary.Path, "serve-tune-abc", ".in-use"), "");
        var newborn = Directory.CreateDirectory(Path.Combine(temporary.Path, "serve-tune-new")).FullName;
        var older = Directory.CreateDirectory(Path.Combine(temporary.Path, "serve-tune-run-old")).FullName;
        Directory.SetLastWriteTimeUtc(older, DateTime.UtcNow.AddHours(-1));
        var foreign = Directory.CreateDirectory(Path.Combine(temporary.Path, "serve-bench-x")).FullName;

        Assert.Equal(2, TuneFolder.RemoveLeftOvers(store.Path, temporary.Path));
        Assert.Equal([foreign, newborn], Directory.GetDirectories(temporary.Path).Order());
        Assert.True(Directory.Exists(live.Path));
        Assert.Equal(0, TuneFolder.RemoveLeftOvers(Path.Combine(store.Path, "none"), temporary.Path));
    }

    [Fact]
    public void A_link_to_a_folder_elsewhere_is_left_alone()
    {
        using var temporary = new TemporaryFolder();
        using var elsewhere = new TemporaryFolder();
        var file = Path.Combine(elsewhere.Path, "precious");
        File.WriteAllText(file, "");
        Directory.CreateSymbolicLink(Path.Combine(temporary.Path, "serve-tune-link"), elsewhere.Path);
        Directory.SetLastWriteTimeUtc(elsewhere.Path, DateTime.UtcNow.AddHours(-1));
        Assert.Equal(0, TuneFolder.RemoveLeftOvers(elsewhere.Path, temporary.Path));
        Assert.True(File.Exists(file));
    }
}
