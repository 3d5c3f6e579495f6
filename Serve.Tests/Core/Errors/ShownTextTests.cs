using Serve.Core.Errors;

namespace Serve.Tests.Core.Errors;

public sealed class ShownTextTests
{
    [Fact]
    public void A_text_is_shown_whole_or_cut_between_characters()
    {
        var letters = new string('x', 59);

        Assert.Equal("", ShownText.Of(""));
        Assert.Equal(letters + "y", ShownText.Of(letters + "y"));
        Assert.Equal(letters + "y…", ShownText.Of(letters + "yz"));
        Assert.Equal(letters + "…", ShownText.Of(letters + "😀z"));
    }
}
