using Serve.Core.Models;
using Serve.Core.Protocol;

namespace Serve.Core.Workers;

/// <summary>What one frame of a worker means to the scheduler: parsed outside the lock, applied under it.</summary>
/// <param name="Type">Begun, Output, Returned or Grant.</param>
/// <param name="Id">The request, or the batch.</param>
/// <param name="Count">Ids of Begun and Returned in the chunk's list, or rows of Grant.</param>
/// <param name="IsLast">On Output: nothing more comes.</param>
/// <param name="Response">On Output: the answer or a part of it.</param>
/// <param name="Error">On Output: the error that it says.</param>
internal readonly record struct LinkEvent(FrameType Type, ulong Id, int Count, bool IsLast, InferenceResponse? Response, Exception? Error);
