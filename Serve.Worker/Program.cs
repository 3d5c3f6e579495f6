using Serve.Worker.Hosting;

if (args is [DoctorProcess.Argument])
{
    using var output = Console.OpenStandardOutput();
    return DoctorProcess.Run(Console.In, output);
}

var arguments = WorkerArguments.Read(args, out var problem);
if (arguments is null)
{
    Console.Error.WriteLine(problem);
    return ExitCodes.Usage;
}

if (!ParentProcess.Tie(arguments.ParentId))
{
    Console.Error.WriteLine($"The parent is not process {arguments.ParentId} (any more): nobody would stop this worker.");
    return ExitCodes.ConnectionEnded;
}

var signals = ParentProcess.LeaveSignalsToParent();
ParentProcess.Leave(WorkerProcess.Run(arguments));
GC.KeepAlive(signals);
return ExitCodes.Stopped;
