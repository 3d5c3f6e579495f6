export function TryPage(_: { model?: string; version?: string }) {
  return <h1>Try it</h1>;
}
