// Checks dashboards: node check.js FILE.json... For each what is wrong with it, a line of JSON each: {"file", "line", "message"}.
// TypeScript takes each as a literal of the type that Grafana publishes, so that an option that does not exist, a wrong value
// and one that is missing are errors.
const fs = require('fs');
const path = require('path');
const ts = require('typescript');

const options = {
  strict: true, noEmit: true, skipLibCheck: true, types: [],
  target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
};

// Beside this file, where the packages are found; all on the JSON's own lines.
const sources = new Map(process.argv.slice(2).map((file, i) => [
  path.join(__dirname, `dashboard-${i}.ts`),
  { file, text: `import type { CheckedDashboard } from './dashboard'; export const dashboard: CheckedDashboard = ${fs.readFileSync(file, 'utf8')};` },
]));

const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, readFile } = host;
host.fileExists = name => sources.has(path.normalize(name)) || fileExists(name);
host.readFile = name => sources.get(path.normalize(name))?.text ?? readFile(name);
host.getSourceFile = (name, ...rest) => {
  const source = sources.get(path.normalize(name));
  return source ? ts.createSourceFile(name, source.text, options.target) : getSourceFile(name, ...rest);
};

const program = ts.createProgram([...sources.keys()], options, host);
for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
  const source = diagnostic.file && sources.get(path.normalize(diagnostic.file.fileName));
  const line = diagnostic.file ? diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start).line + 1 : 0;
  console.log(JSON.stringify({ file: source?.file ?? diagnostic.file?.fileName ?? '', line, message: ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n') }));
}
