import { address, ApiError, errorOf, json, path } from './client';
import { authorization, tokenRefused } from './token';

/** Something in the model store that is not registered. */
export interface StoredArchive {
  /** By this it is registered. */
  url: string;
  modelName: string;
  modelVersion: string;
  kind: 'folder' | 'archive' | 'onnx';
  /** Bytes; of files. */
  size?: number;
}

export async function listArchives(signal?: AbortSignal): Promise<StoredArchive[]> {
  return (await json<{ archives: StoredArchive[] }>('archives', { signal })).archives;
}

/** Puts a file into the model store. fetch cannot tell how much has been sent; XMLHttpRequest can. */
export function upload(file: File, signal: AbortSignal, onProgress: (sentRatio: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', address('archives/' + path(file.name)));
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = event => onProgress(event.total === 0 ? 1 : event.loaded / event.total);
    request.onload = () => {
      if (request.status === 401) tokenRefused();
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(errorOf(request.status, request.responseText));
    };
    request.onerror = () => reject(new ApiError(0, 'Unreachable', 'The server closed the connection before it had the whole file.'));
    request.onabort = () => reject(new ApiError(0, 'Stopped', 'The upload was stopped.'));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}
