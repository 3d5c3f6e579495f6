export function ModelPage({ model }: { model: string; version?: string }) {
  return <h1>{model}</h1>;
}
