Console.WriteLine("serve-worker");
