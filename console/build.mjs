// Builds the page into the folder that Serve.Management embeds, or into the one that is named.
import { build } from 'esbuild';
import { copyFile, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.resolve(process.argv[2] ?? path.join(here, '../Serve.Management/Console/Page'));
const limit = 200_000; // bytes of all files together, as they are

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { console: 'src/main.tsx' },
  outdir: target,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  logLevel: 'warning',
});
for (const file of await readdir(path.join(here, 'static'))) await copyFile(path.join(here, 'static', file), path.join(target, file));
await writeFile(path.join(target, 'licenses.txt'), await licenses(['preact', 'uplot']));

let total = 0;
for (const file of (await readdir(target)).sort()) {
  const { size } = await stat(path.join(target, file));
  total += size;
  console.log(`${file.padEnd(14)} ${String(size).padStart(8)}`);
}
console.log(`${'all'.padEnd(14)} ${String(total).padStart(8)} of ${limit}`);
if (total > limit) {
  console.error(`The page may have ${limit} bytes.`);
  process.exit(1);
}

// The licenses ask that their text goes where the code goes.
async function licenses(names) {
  const { readFile } = await import('node:fs/promises');
  const texts = names.map(async name => {
    const folder = path.join(here, 'node_modules', name);
    const { version } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${(await readFile(path.join(folder, 'LICENSE'), 'utf8')).trim()}\n`;
  });
  return (await Promise.all(texts)).join('\n\n');
}
