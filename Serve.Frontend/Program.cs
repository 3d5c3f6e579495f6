using Serve.Frontend.Commands;

return await ServeCommandLine.RunAsync(args, Console.Out, Console.Error);
