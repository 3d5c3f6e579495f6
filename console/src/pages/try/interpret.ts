/** An answer as it is shown. */
export type Shown =
  | { kind: 'labels'; labels: { label: string; score: number }[] }
  | { kind: 'boxes'; boxes: Box[] }
  | { kind: 'mask'; classes: number[][] }
  | { kind: 'vector'; values: number[] }
  | { kind: 'picture'; blob: Blob }
  | { kind: 'text'; text: string; isJson: boolean }
  | { kind: 'bytes'; blob: Blob };

/** Corners in pixels of the picture, or in shares of it: {@link areShares}. */
export interface Box {
  label: string;
  score?: number;
  corners: [number, number, number, number];
}

const fewPixels = 8;

/** Whether corners are shares of a picture. A box may reach a little beyond it; in pixels, all boxes would be a point. */
export function areShares(boxes: Box[], pixels: number): boolean {
  const most = pixels > fewPixels ? 1.5 : 1;
  return boxes.every(box => box.corners.every(corner => corner <= most));
}

const mostText = 200_000;
const leastMask = 8; // rows and columns: fewer are some other table of numbers

/** Knows an answer by what it looks like: handlers of the user's own answer in the same shapes. */
export function interpret(contentType: string, body: Uint8Array<ArrayBuffer>): Shown {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  if (type.startsWith('image/')) return { kind: 'picture', blob: new Blob([body], { type }) };
  const text = decode(body);
  if (text === null) return { kind: 'bytes', blob: new Blob([body], { type: 'application/octet-stream' }) };
  const json = type.endsWith('json') || type === '' || type.startsWith('text/') ? parse(text) : undefined;
  const known = json === undefined ? undefined : (labels(json) ?? boxes(json) ?? mask(json) ?? vector(json));
  return known ?? { kind: 'text', text: text.length > mostText ? text.slice(0, mostText) + '\n…' : text, isJson: json !== undefined };
}

function labels(json: unknown): Shown | undefined {
  if (!isObject(json)) return undefined;
  const entries = Object.entries(json);
  if (entries.length === 0 || !entries.every((entry): entry is [string, number] => typeof entry[1] === 'number')) return undefined;
  return { kind: 'labels', labels: entries.map(([label, score]) => ({ label, score })).sort((a, b) => b.score - a.score) };
}

function boxes(json: unknown): Shown | undefined {
  const list = isObject(json) ? json['detections'] ?? json['boxes'] ?? json['predictions'] : json;
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const found = list.map(box);
  return found.every(one => one !== undefined) ? { kind: 'boxes', boxes: found } : undefined;
}

// {"label": "cat", "score": 0.9, "box": [x1, y1, x2, y2]}, {"box": {"xmin": ...}}, or TorchServe's {"cat": [x1, y1, x2, y2], "score": 0.9}.
function box(item: unknown): Box | undefined {
  if (!isObject(item)) return undefined;
  const score = typeof item['score'] === 'number' ? item['score'] : typeof item['confidence'] === 'number' ? item['confidence'] : undefined;
  const named = Object.entries(item).find(([, value]) => isObject(value) || numbers(value)?.length === 4);
  if (named === undefined) return undefined;
  const [key, value] = named;
  const corners = isObject(value) ? numbers(['xmin', 'ymin', 'xmax', 'ymax'].map(name => value[name])) : numbers(value);
  if (corners?.length !== 4) return undefined;
  const isGeneric = ['box', 'bbox', 'boundingBox', 'bounding_box'].includes(key);
  const label = item['label'] ?? item['class'] ?? item['name'];
  return { label: isGeneric ? String(label ?? '') : key, score, corners: corners as Box['corners'] };
}

// Rows of class numbers, or of TorchServe's pairs of class and probability.
function mask(json: unknown): Shown | undefined {
  const rows = isObject(json) ? (json['mask'] ?? json['segmentation']) : json;
  if (!Array.isArray(rows) || rows.length < leastMask) return undefined;
  const classes: number[][] = [];
  for (const row of rows) {
    if (!Array.isArray(row) || row.length < leastMask || row.length !== (rows[0] as unknown[]).length) return undefined;
    const line = numbers(row.map(cell => (Array.isArray(cell) ? cell[0] : cell)));
    if (line === undefined || !line.every(Number.isInteger)) return undefined;
    classes.push(line);
  }
  return { kind: 'mask', classes };
}

function vector(json: unknown): Shown | undefined {
  const values = numbers(json);
  return values !== undefined && values.length > 1 ? { kind: 'vector', values } : undefined;
}

function numbers(value: unknown): number[] | undefined {
  return Array.isArray(value) && value.every(one => typeof one === 'number') ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decode(body: Uint8Array<ArrayBuffer>): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return null;
  }
}
