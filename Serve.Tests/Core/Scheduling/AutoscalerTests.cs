using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

/// <summary>When workers are added and taken away: over simulated time, with a look every second.</summary>
public sealed class AutoscalerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<AutoscaleStep> _steps = [];
    private double _perWorker = 100;
    private double _most = double.PositiveInfinity;
    private int _workers = 1;
    private int _room = int.MaxValue;
    private int _broken;

    [Fact]
    public void Too_little_headroom_for_long_enough_adds_the_workers_that_are_missing()
    {
        var scaler = Scaler(new AutoscaleConfiguration { UpAfter = TimeSpan.FromSeconds(5) });

        Run(scaler, arrivals: 310, seconds: 5);
        Assert.Empty(_steps);

        Run(scaler, arrivals: 310, seconds: 1);
        Assert.Equal((2, AutoscaleReason.Headroom), (_steps[0].Workers, _steps[0].Reason));
        Assert.Equal("headroom was below 0.2 for 5 s (310 rows/s arrive, 100 can be served, predicted wait 0 ms)", _steps[0].Why);

        Run(scaler, arrivals: 310, seconds: 60);
        Assert.Equal([2, 4], _steps.Select(step => step.Workers));
    }

    [Fact]
    public void A_moment_of_too_little_is_no_reason()
    {
        var scaler = Scaler(new AutoscaleConfiguration { UpAfter = TimeSpan.FromSeconds(5) });
        for (var i = 0; i < 20; i++)
        {
            Run(scaler, arrivals: 200, seconds: 4);
            Run(scaler, arrivals: 10, seconds: 1);
        }

        Assert.Empty(_steps);
    }

    [Fact]
    public void Waiting_too_long_adds_a_worker_where_headroom_does_not_say_so()
    {
        var scaler = new Autoscaler(new AutoscaleConfiguration { UpAfter = TimeSpan.FromSeconds(2) }, TimeSpan.FromMilliseconds(100), _time);

        Run(scaler, arrivals: 10, seconds: 3, wait: TimeSpan.FromMilliseconds(50));
        Assert.Empty(_steps);

        Run(scaler, arrivals: 10, seconds: 3, wait: TimeSpan.FromMilliseconds(51));
        Assert.Equal((2, AutoscaleReason.QueueWait), (_steps[0].Workers, _steps[0].Reason));
        Assert.StartsWith("the predicted wait was over 50 ms for 2 s", _steps[0].Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Never_more_than_the_most_and_never_less_than_the_fewest()
    {
        var scaler = Scaler(new AutoscaleConfiguration { DownAfter = TimeSpan.FromSeconds(10) });
        Run(scaler, arrivals: 10_000, seconds: 200, max: 3);
        Assert.Equal(3, _workers);

        Run(scaler, arrivals: 0, seconds: 200, min: 2, max: 3);
        Assert.Equal(2, _workers);

        Run(scaler, arrivals: 0, seconds: 200, min: 0, max: 3);
        Assert.Equal(1, _workers);
    }

    [Fact]
    public void One_goes_when_the_others_would_have_enough_left()
    {
        _workers = 4;
        var scaler = Scaler(new AutoscaleConfiguration { DownAfter = TimeSpan.FromSeconds(30) });

        Run(scaler, arrivals: 215, seconds: 300);
        Assert.Empty(_steps);

        Run(scaler, arrivals: 205, seconds: 30);
        Assert.Empty(_steps);
        Run(scaler, arrivals: 205, seconds: 270);
        var step = Assert.Single(_steps);
        Assert.Equal((3, AutoscaleReason.Spare), (step.Workers, step.Reason));
    }

    [Fact]
    public void Workers_that_bring_nothing_are_taken_back_and_not_tried_again_for_a_while()
    {
        _most = 105;
        var scaler = Scaler(new AutoscaleConfiguration());

        Run(scaler, arrivals: 500, seconds: 300);
        Assert.Equal([(2, AutoscaleReason.Headroom), (1, AutoscaleReason.NoGain)], _steps.Select(step => (step.Workers, step.Reason)));
        Assert.Equal("2 workers do 105 rows/s where 1 did 100: the device is full", _steps[1].Why);

        // Another device is at hand now.
        _most = double.PositiveInfinity;
        Run(scaler, arrivals: 150, seconds: (int)Autoscaler.Rest.TotalSeconds);
        Assert.Equal([2, 1, 2], _steps.Select(step => step.Workers));
    }

    [Fact]
    public void Workers_that_cannot_be_started_are_taken_back_and_not_tried_again_for_a_while()
    {
        _room = 1; // the GPU's memory
        var scaler = Scaler(new AutoscaleConfiguration());

        Run(scaler, arrivals: 500, seconds: 300);
        Assert.Equal([(2, AutoscaleReason.Headroom), (1, AutoscaleReason.NoGain)], _steps.Select(step => (step.Workers, step.Reason)));
        Assert.Equal("1 of 1 that were tried could not be started", _steps[1].Why);

        _room = int.MaxValue;
        Run(scaler, arrivals: 150, seconds: (int)Autoscaler.Rest.TotalSeconds);
        Assert.Equal([2, 1, 2], _steps.Select(step => step.Workers));
    }

    [Fact]
    public void Of_several_that_are_tried_those_stay_that_could_be_started_if_they_bring_something()
    {
        (_workers, _room) = (2, 3);
        var scaler = Scaler(new AutoscaleConfiguration());

        Run(scaler, arrivals: 600, seconds: 300);
        Assert.Equal([(4, AutoscaleReason.Headroom), (3, AutoscaleReason.NoGain)], _steps.Select(step => (step.Workers, step.Reason)));

        (_workers, _most) = (2, 210);
        _steps.Clear();
        Run(Scaler(new AutoscaleConfiguration()), arrivals: 600, seconds: 300);
        Assert.Equal([4, 3, 2], _steps.Select(step => step.Workers));
        Assert.Equal("3 workers do 210 rows/s where 2 did 200: the device is full", _steps[2].Why);
    }

    [Fact]
    public void One_that_gave_up_before_does_not_keep_others_from_being_tried()
    {
        (_workers, _broken) = (2, 1);
        var scaler = Scaler(new AutoscaleConfiguration());

        Run(scaler, arrivals: 300, seconds: 300);
        Assert.Equal([(4, AutoscaleReason.Headroom), (5, AutoscaleReason.Headroom)], _steps.Select(step => (step.Workers, step.Reason)));
    }

    [Fact]
    public void One_that_gave_up_goes_first_and_is_not_missed()
    {
        (_workers, _broken) = (3, 1);
        var scaler = Scaler(new AutoscaleConfiguration { DownAfter = TimeSpan.FromSeconds(30) });

        Run(scaler, arrivals: 135, seconds: 31); // more than one of the other two could serve
        Assert.Equal((2, AutoscaleReason.Spare), (Assert.Single(_steps).Workers, _steps[0].Reason));
    }

    [Fact]
    public void What_brought_nothing_is_not_taken_back_below_the_fewest()
    {
        (_workers, _most) = (2, 210);
        var scaler = Scaler(new AutoscaleConfiguration());
        Run(scaler, arrivals: 1000, seconds: 6);

        Run(scaler, arrivals: 1000, seconds: 300, min: 3);
        Assert.Equal([(4, AutoscaleReason.Headroom), (3, AutoscaleReason.NoGain)], _steps.Select(step => (step.Workers, step.Reason)));

        (_workers, _room) = (2, 3);
        _steps.Clear();
        scaler = Scaler(new AutoscaleConfiguration());
        Run(scaler, arrivals: 1000, seconds: 6);
        Run(scaler, arrivals: 1000, seconds: 300, min: 4);
        Assert.Equal([4], _steps.Select(step => step.Workers));
    }

    [Fact]
    public void Numbers_that_are_set_by_hand_end_a_trial_and_the_time_after_it()
    {
        (_workers, _most) = (2, 210);
        var scaler = Scaler(new AutoscaleConfiguration());
        Run(scaler, arrivals: 1000, seconds: 6);
        scaler.Forget();
        Run(scaler, arrivals: 1000, seconds: 300, max: 4);
        Assert.Equal([4], _steps.Select(step => step.Workers));

        _workers = 2;
        Run(scaler, arrivals: 1000, seconds: 300, max: 4);
        Assert.Equal([4, 4, 2], _steps.Select(step => step.Workers));
        scaler.Forget();
        Run(scaler, arrivals: 1000, seconds: 300, max: 4);
        Assert.Equal([4, 4, 2, 4, 2], _steps.Select(step => step.Workers));
    }

    [Fact]
    public void While_workers_start_and_where_there_are_none_nothing_is_decided()
    {
        var scaler = Scaler(new AutoscaleConfiguration());
        for (var i = 0; i < 100; i++)
        {
            Assert.Null(scaler.Observe(new DispatcherLoad(1000, 100, 1, TimeSpan.FromSeconds(9)), workers: 2, starting: 1, failed: 0, min: 1, max: 8));
            Assert.Null(scaler.Observe(new DispatcherLoad(1000, 0, 1, TimeSpan.FromSeconds(9)), workers: 2, starting: 0, failed: 2, min: 1, max: 8));
            Assert.Null(scaler.Observe(default, workers: 0, starting: 0, failed: 0, min: 0, max: 8));
            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public void What_is_not_measured_is_no_reason_for_more()
    {
        var scaler = Scaler(new AutoscaleConfiguration());
        _perWorker = 0;
        Run(scaler, arrivals: 1000, seconds: 100);
        Assert.Empty(_steps);
    }

    private Autoscaler Scaler(AutoscaleConfiguration settings) => new(settings, null, _time);

    // A device whose workers each do so much, up to what it does at most, if it has room for them; a step is followed at once.
    private void Run(Autoscaler scaler, double arrivals, int seconds, int min = 1, int max = 8, TimeSpan wait = default)
    {
        for (var second = 0; second < seconds; second++)
        {
            var failed = _broken + Math.Max(0, _workers - _room);
            var load = new DispatcherLoad(arrivals, Math.Min(_most, (_workers - failed) * _perWorker), 1, wait);
            if (scaler.Observe(load, _workers, starting: 0, failed, min, max) is { } step)
            {
                _steps.Add(step);
                _workers = step.Workers;
            }

            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }
}
