# make help shows what there is. CI runs "make test", after it has installed what some tests need (.ci/run).

CONFIGURATION := Release
ARTIFACTS     := artifacts/serve
DOTNET        := dotnet
# One line an event on any terminal, no telemetry, no greeting.
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1
export DOTNET_SKIP_FIRST_TIME_EXPERIENCE := 1
export MSBUILDTERMINALLOGGER := off

.DEFAULT_GOAL := help
.PHONY: help build run test bench bench-parts compatibility metrics format clean sdk

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: sdk ## Build the server into artifacts/serve/ (serve, serve-worker)
	@build/publish.sh $(ARTIFACTS)

run: build ## Build and start the server with configs/serve.yaml
	@exec $(ARTIFACTS)/serve start --config configs/serve.yaml

test: sdk ## Build and run all tests; the last line is "N passed, N failed"
	@build/test.sh $(CONFIGURATION)

bench: build ## Measure the built server (25 minutes); BENCH="--only noop --rounds 3" passes options
	@$(DOTNET) run --project benchmarks/Serve.Benchmarks -c $(CONFIGURATION) -v quiet -- $(BENCH)

bench-parts: sdk ## Measure parts of it by themselves, with BenchmarkDotNet (3 minutes); PARTS="--filter *Frame* --job medium"
	@$(DOTNET) run --project benchmarks/Serve.Benchmarks.Parts -c $(CONFIGURATION) -v quiet -- $(PARTS)

compatibility: sdk ## Check Serve against TorchServe's interfaces and the Open Inference Protocol, and write their tables in docs/
	@$(DOTNET) build Serve.sln -c $(CONFIGURATION) -v quiet
	@SERVE_TESTS_WRITE_DOCS=1 $(DOTNET) Serve.Tests/bin/$(CONFIGURATION)/net10.0/Serve.Tests.dll -noLogo -class Serve.Tests.Compatibility.CompatibilityTests -class Serve.Tests.Conformance.ConformanceTests

metrics: sdk ## Write the tables of docs/metrics.md from what the server exposes
	@$(DOTNET) build Serve.Tests -c $(CONFIGURATION) -v quiet
	@SERVE_TESTS_WRITE_DOCS=1 $(DOTNET) Serve.Tests/bin/$(CONFIGURATION)/net10.0/Serve.Tests.dll -noLogo -class Serve.Tests.Monitoring.MetricsDocumentTests

format: sdk ## Format the code
	@$(DOTNET) format whitespace Serve.sln

clean: ## Remove everything that was built
	@rm -rf artifacts */bin */obj benchmarks/*/bin benchmarks/*/obj

# The SDK that global.json asks for, or one line that says what to install.
sdk:
	@build/check-sdk.sh
