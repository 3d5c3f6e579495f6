/** Where a request's time goes, in its order, and in which colour that is shown everywhere. */
export const stages = [
  { name: 'read', title: 'read', colour: 'series-9' },
  { name: 'queue', title: 'queue', colour: 'series-3' },
  { name: 'transfer', title: 'transfer', colour: 'series-6' },
  { name: 'decode_wait', title: 'decode wait', colour: 'series-8' },
  { name: 'decode', title: 'decode', colour: 'series-2' },
  { name: 'assemble', title: 'assemble', colour: 'series-5' },
  { name: 'execute', title: 'execute', colour: 'series-1' },
  { name: 'encode', title: 'encode', colour: 'series-7' },
  { name: 'write', title: 'write', colour: 'series-4' },
] as const;
