// Calls every method of the Open Inference Protocol's service on a running server with the models of InferServer.cs.
// One line of JSON a call: {"call", "code", "details", "value"}; code is gRPC's status, 0 when it succeeded.
// node open-inference.js ADDRESS PROTOS
//   PROTOS    the folder of open_inference.proto

const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, protos] = process.argv.slice(2);
const definition = loader.loadSync(path.join(protos, 'open_inference.proto'), { keepCase: true, longs: Number, enums: String, oneofs: true, includeDirs: [protos] });
const Service = grpc.loadPackageDefinition(definition).inference.GRPCInferenceService;
const client = new Service(address, grpc.credentials.createInsecure());

const say = (call, error, value) =>
  console.log(JSON.stringify({ call, code: error?.code ?? 0, details: error?.details ?? '', value: value ?? null }));

const unary = (name, method, request, read = answer => answer) =>
  new Promise(done => client[method](request, { deadline: Date.now() + 60_000 }, (error, answer) => {
    say(name, error, answer && read(answer));
    done();
  }));

const int32 = numbers => Buffer.from(Int32Array.from(numbers).buffer);
const numbersOf = (raw, Type = Int32Array) => Array.from(new Type(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length)));
const sixteen = Array.from({ length: 16 }, (_, i) => i);

const simple = more => ({
  model_name: 'simple',
  inputs: ['INPUT0', 'INPUT1'].map(name => ({ name, datatype: 'INT32', shape: [1, 16] })),
  raw_input_contents: [int32(sixteen), int32(sixteen.map(number => 2 * number))],
  ...more,
});
const repeat = (values, more) => ({
  model_name: 'repeat',
  inputs: [
    { name: 'IN', datatype: 'INT32', shape: [values.length], contents: { int_contents: values } },
    { name: 'DELAY', datatype: 'UINT32', shape: [values.length], contents: { uint_contents: values.map(() => 0) } },
    { name: 'WAIT', datatype: 'UINT32', shape: [1], contents: { uint_contents: [0] } },
  ],
  ...more,
});
const outputsOf = answer => answer.outputs.map((output, i) => ({ name: output.name, datatype: output.datatype, shape: output.shape, numbers: numbersOf(answer.raw_output_contents[i]) }));

// Writes all requests, and reads to the end.
const stream = (name, requests) =>
  new Promise(done => {
    const call = client.ModelStreamInfer();
    const parts = [];
    let hasEnded = false; // A failed stream says so with both of its events.
    const end = error => {
      if (hasEnded) return;
      hasEnded = true;
      say(name, error, parts);
      done();
    };
    call.on('data', part => parts.push(part.error_message ? { error: part.error_message, id: part.infer_response.id } : { id: part.infer_response.id, outputs: outputsOf(part.infer_response) }));
    call.on('error', end);
    call.on('end', () => end());
    requests.forEach(request => call.write(request));
    call.end();
  });

async function main() {
  await unary('ServerLive', 'ServerLive', {});
  await unary('ServerReady', 'ServerReady', {});
  await unary('ModelReady', 'ModelReady', { name: 'simple' });
  await unary('ServerMetadata', 'ServerMetadata', {});
  await unary('ModelMetadata', 'ModelMetadata', { name: 'simple' });
  await unary('ModelConfig', 'ModelConfig', { name: 'simple' }, answer => answer.config);

  await unary('ModelInfer', 'ModelInfer', simple({ id: '42', model_version: '1.0' }), answer => ({ id: answer.id, outputs: outputsOf(answer) }));
  await unary('ModelInfer of one output', 'ModelInfer', simple({ outputs: [{ name: 'OUTPUT1' }] }), answer => outputsOf(answer));
  await unary('ModelInfer of texts', 'ModelInfer', { model_name: 'strings', inputs: [{ name: 'x', datatype: 'BYTES', shape: [1, 2], contents: { bytes_contents: [Buffer.from('é'), Buffer.from('')] } }] }, answer => answer.raw_output_contents[0].toString('hex'));
  await unary('ModelInfer of no model', 'ModelInfer', simple({ model_name: 'nobody' }));
  await unary('ModelInfer of one input', 'ModelInfer', simple({ inputs: simple().inputs.slice(1), raw_input_contents: simple().raw_input_contents.slice(1) }));
  await unary('ModelInfer of a decoupled model', 'ModelInfer', repeat([1]));
  await stream('ModelStreamInfer', [simple({ id: 'a' }), simple({ id: 'b', model_name: 'nobody' }), simple({ id: 'c' })]);
  await stream('ModelStreamInfer of a decoupled model', [repeat([5, 6, 7], { id: 'r' })]);

  await unary('ModelStatistics', 'ModelStatistics', { name: 'simple' }, answer => answer.model_stats);
  await unary('RepositoryIndex', 'RepositoryIndex', {}, answer => answer.models.map(model => `${model.name} ${model.state}`));
  await unary('RepositoryModelUnload', 'RepositoryModelUnload', { model_name: 'simple_int8' });
  await unary('ModelReady afterwards', 'ModelReady', { name: 'simple_int8' }, answer => answer.ready ?? false);
  await unary('RepositoryModelLoad', 'RepositoryModelLoad', { model_name: 'simple_int8' });
  await unary('TraceSetting', 'TraceSetting', {}, answer => Object.keys(answer.settings).length);
  await unary('LogSettings', 'LogSettings', {}, answer => Object.keys(answer.settings).length);
  await unary('SystemSharedMemoryStatus', 'SystemSharedMemoryStatus', {});
  await unary('SystemSharedMemoryRegister', 'SystemSharedMemoryRegister', { name: 'r', key: '/r', byte_size: 4 });
  await unary('SystemSharedMemoryUnregister', 'SystemSharedMemoryUnregister', { name: 'r' });
  await unary('CudaSharedMemoryStatus', 'CudaSharedMemoryStatus', {});
  await unary('CudaSharedMemoryRegister', 'CudaSharedMemoryRegister', { name: 'r', raw_handle: Buffer.from(''), byte_size: 4 });
  await unary('CudaSharedMemoryUnregister', 'CudaSharedMemoryUnregister', { name: 'r' });
}

main().then(() => process.exit(0), error => {
  console.error(error);
  process.exit(1);
});
