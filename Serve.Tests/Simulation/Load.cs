namespace Serve.Tests.Simulation;

/// <summary>Who asks, and when. Submits requests until the measurement has enough.</summary>
internal abstract record Load(string Name)
{
    /// <summary>Plans arrivals. <paramref name="submit"/> takes what is to happen at the answer.</summary>
    public abstract void Begin(EventLoop loop, Hardware hardware, Action<Action?> submit);
}

/// <summary>Clients that ask again as soon as they have their answer.</summary>
internal sealed record ClosedLoop(int Clients) : Load($"{Clients} clients")
{
    public override void Begin(EventLoop loop, Hardware hardware, Action<Action?> submit)
    {
        for (var i = 0; i < Clients; i++) loop.After(0.01 * i, Ask);

        void Ask() => submit(() => loop.After(0.1, Ask));
    }
}

/// <summary>Independent arrivals at a share of the capacity.</summary>
internal sealed record Poisson(int Percent) : Load($"Poisson {Percent} %")
{
    public override void Begin(EventLoop loop, Hardware hardware, Action<Action?> submit)
    {
        var random = new Randomness(hardware.Seed);
        var mean = 1000 / (hardware.Capacity * Percent / 100);
        loop.After(random.Exponential(mean), Arrive);

        void Arrive()
        {
            submit(null);
            loop.After(random.Exponential(mean), Arrive);
        }
    }
}

/// <summary>Bursts of 150 ms on average at one and a half times the capacity, and pauses of 300 ms at a tenth: 57 % on average.</summary>
internal sealed record Bursts() : Load("bursts")
{
    public override void Begin(EventLoop loop, Hardware hardware, Action<Action?> submit)
    {
        var random = new Randomness(hardware.Seed);
        var isBurst = false;
        var epoch = 0;
        Toggle();

        void Toggle()
        {
            isBurst = !isBurst;
            epoch++;
            loop.After(random.Exponential(isBurst ? 150 : 300), Toggle);
            PlanArrival(epoch);
        }

        void PlanArrival(int inEpoch) => loop.After(random.Exponential(1000 / (hardware.Capacity * (isBurst ? 1.5 : 0.1))), () =>
        {
            if (inEpoch != epoch) return; // the rate has changed since: another draw is under way
            submit(null);
            PlanArrival(inEpoch);
        });
    }
}
