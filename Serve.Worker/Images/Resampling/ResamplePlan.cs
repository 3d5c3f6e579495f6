namespace Serve.Worker.Images.Resampling;

/// <summary>Both axes of one picture's way into a tensor.</summary>
internal readonly record struct ResamplePlan(AxisGeometry X, AxisGeometry Y, AxisPlan Horizontal, AxisPlan Vertical);
