/** How good a state is: the colour says again what the word says. */
function tone(state: string): string {
  switch (state.toLowerCase()) {
    case 'ready':
    case 'busy':
    case 'healthy':
    case 'live':
      return 'good';
    case 'loading':
    case 'starting':
    case 'recovering':
    case 'draining':
    case 'stopping':
    case 'partial healthy':
    case 'connecting':
      return 'warn';
    case 'failed':
    case 'unhealthy':
    case 'disconnected':
    case 'dead':
      return 'bad';
    default:
      return 'idle';
  }
}

export function StatePill({ state }: { state: string }) {
  return (
    <span class={`pill ${tone(state)}`}>
      <span class="dot" aria-hidden="true" />
      {state}
    </span>
  );
}
