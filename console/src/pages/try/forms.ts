import type { Tensor } from '../../api/management';

/** What a person gives a model. */
export type Form = 'picture' | 'text' | 'json' | 'file';

export const formTitles: Record<Form, string> = { picture: 'Picture', text: 'Text', json: 'JSON', file: 'File' };

/** What a handler takes; a class of the user's own may take anything, and its model's inputs are the best hint. */
export function formOf(handler: string | undefined, inputs: Tensor[] | undefined): Form {
  switch (handler) {
    case 'image_classifier':
    case 'image_embedder':
    case 'image_segmenter':
    case 'object_detector':
      return 'picture';
    case 'text_classifier':
    case 'text_embedder':
      return 'text';
    case 'tensor':
    case 'repeat':
      return 'json';
    default:
      return inputs?.length === 1 && isPicture(inputs[0]!) ? 'picture' : 'text';
  }
}

function isPicture({ shape, elementType }: Tensor): boolean {
  const isNumber = elementType.startsWith('Float') || elementType === 'UInt8';
  return isNumber && shape.length === 4 && [1, 3].some(channels => shape[1] === channels || shape[3] === channels);
}

const mostNumbers = 4096;

/** Something that a handler would take, to begin with. */
export function exampleOf(handler: string | undefined, inputs: Tensor[] | undefined, fill: () => number): string {
  if (handler === 'repeat') return JSON.stringify({ text: 'tick\n', count: 3, intervalMs: 500 }, null, 2);
  if (inputs === undefined || inputs.length === 0) return '';
  if (inputs.some(input => sizeOf(input) > mostNumbers)) return '';
  const row = (input: Tensor): string => write(nested(input.shape.slice(1), input.elementType, fill), 0);
  if (inputs.length === 1) return row(inputs[0]!);
  return `{\n${inputs.map(input => `  ${JSON.stringify(input.name)}: ${row(input)}`).join(',\n')}\n}`;
}

function sizeOf(input: Tensor): number {
  return input.shape.slice(1).reduce((product, size) => product * Math.max(1, size), 1);
}

type Nested = number | string | boolean | Nested[];

function nested(shape: number[], elementType: string, fill: () => number): Nested {
  const [size, ...rest] = shape;
  if (size !== undefined) return Array.from({ length: Math.max(1, size) }, () => nested(rest, elementType, fill));
  if (elementType === 'String') return 'text';
  if (elementType.startsWith('Bool')) return false;
  return elementType.includes('Int') ? Math.round(fill() * 10) : Number(fill().toFixed(3));
}

// Numbers of one list on one line.
function write(value: Nested, depth: number): string {
  if (!Array.isArray(value)) return JSON.stringify(value);
  if (!value.some(Array.isArray)) return `[${value.map(one => JSON.stringify(one)).join(', ')}]`;
  const indent = '  '.repeat(depth + 1);
  return `[\n${value.map(one => indent + write(one, depth + 1)).join(',\n')}\n${'  '.repeat(depth)}]`;
}
