using System.Diagnostics;
using System.Text.Json;
using Serve.Tests.Worker;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.EndToEnd;

/// <summary><c>serve doctor</c>: without a server, with a worker process that loads the model.</summary>
public sealed class DoctorCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_folder_of_the_store_is_examined()
    {
        var (code, text) = await DoctorAsync(FashionData.ModelFolder);

        Assert.True(code == 0, text);
        Assert.Matches(@"^fashion-vit 1\.0 on cpu:0 \(cpu\): 577 nodes, \d+ after optimization, 813\.7 KiB of weights, operator set 16, loaded in \d+ ms\n", text);
        Assert.Contains("good     layer norm: 13 fused, none spelled out", text, StringComparison.Ordinal);
        Assert.Contains("advice   attention: 6 of 6 spelled out in single operators, none fused\n         costs: ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_of_the_store_is_reported_as_json()
    {
        var (code, text) = await DoctorAsync("fashion-vit", "--json", "--model-store", Path.Combine(Repository.Root, "model-store"));

        Assert.True(code == 0, text);
        var report = JsonDocument.Parse(text).RootElement;
        Assert.Equal(["cpu"], report.GetProperty("providers").EnumerateArray().Select(provider => provider.GetString()));
        var attention = report.GetProperty("findings").EnumerateArray().Single(finding => finding.GetProperty("topic").GetString() == "attention");
        Assert.Equal("Advice", attention.GetProperty("severity").GetString());
        Assert.Contains("opset 17", attention.GetProperty("remedy").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_onnx_file_with_a_fixed_batch_has_something_to_mend()
    {
        SmallModels.Identity(_folder["fixed.onnx"], DataType.Float, 1, 3, 8, 8);

        var (code, text) = await DoctorAsync(_folder["fixed.onnx"]);

        Assert.Equal(5, code);
        Assert.Contains("warning  the batch is fixed at 1: x [1, 3, 8, 8]", text, StringComparison.Ordinal);
        Assert.Contains("         mend:  export with a dynamic batch", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_archive_is_unpacked_for_it()
    {
        var packed = await Cli.RunAsync("archive", "-n", "packed", "-v", "3.1", "-s", Path.Combine(FashionData.ModelFolder, "model.onnx"), "--handler", "tensor", "-o", _folder.Path);
        Assert.True(packed.Code == 0, packed.Text);

        var (code, text) = await DoctorAsync(_folder["packed.mar"]);

        Assert.True(code == 0, text);
        Assert.StartsWith("packed 3.1 on cpu:0", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_for_a_gpu_is_judged_for_one_where_there_is_none()
    {
        Assert.SkipWhen(Directory.Exists("/proc/driver/nvidia"), "this machine has a GPU");
        var (code, text) = await DoctorAsync(FashionData.ModelFolder, "--device", "gpu");

        Assert.Equal(5, code);
        Assert.Contains("note: the model asks for a GPU, but runs on the CPU", text, StringComparison.Ordinal);
        Assert.Contains("warning  attention: 6 of 6 spelled out", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    public async Task What_is_no_model_by_its_name_is_one_sentence(string model)
    {
        var (code, text) = await DoctorAsync(model);
        Assert.Equal(2, code);
        Assert.Single(text.Trim().Split('\n'));
    }

    [Fact]
    public async Task The_worker_counts_GPUs_as_a_servers_workers_do()
    {
        var worker = Worker("read load; printf '{\"type\": \"x\", \"message\": \"%s\"}' \"$CUDA_DEVICE_ORDER\"; exit 1");

        var (code, text) = await DoctorAsync(FashionData.ModelFolder, "--worker-executable", worker);

        Assert.Equal((1, "PCI_BUS_ID"), (code, text.Trim()));
    }

    [Fact]
    public async Task What_was_unpacked_is_removed_when_somebody_does_not_want_to_wait()
    {
        var worker = Worker($"read load; touch {_folder["begun"]}; exec sleep 600");
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "serve"), ["doctor", FashionData.ModelFolder, "--worker-executable", worker])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["TMPDIR"] = _folder.Path },
        })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await Eventually.HoldsAsync("the worker loads", () => File.Exists(_folder["begun"]));
        Signals.Interrupt(process.Id);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal((130, "Interrupted."), (process.ExitCode, (await errors).Trim()));
        Assert.Empty(Directory.EnumerateDirectories(_folder.Path, "serve-doctor-*"));
    }

    [Fact]
    public async Task What_cannot_be_loaded_says_why()
    {
        await File.WriteAllTextAsync(_folder["noise.onnx"], "this is no model", TestContext.Current.CancellationToken);

        var (code, text) = await DoctorAsync(_folder["noise.onnx"]);
        Assert.Equal(1, code);
        Assert.StartsWith("ONNX Runtime cannot load noise.onnx: ", text, StringComparison.Ordinal);

        (code, text) = await DoctorAsync("nowhere", "--model-store", _folder.Path);
        Assert.Equal((1, "Model not found at: nowhere"), (code, text.Trim()));
    }

    /// <summary>A worker's executable that is a shell script.</summary>
    private string Worker(string script)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Needs a shell.");
        var path = _folder.Write("worker", $"#!/bin/sh\n{script}\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return path;
    }

    private Task<(int Code, string Text)> DoctorAsync(params string[] arguments) => Cli.RunAsync(["doctor", .. arguments, "--cache-folder", _folder["cache"]]);
}
