Console.WriteLine("serve");
