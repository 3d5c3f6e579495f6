// Calls every method of TorchServe's two gRPC services, and of the health and reflection services, on a running server.
// One line of JSON a call: {"call", "code", "details", "value"}; code is gRPC's status, 0 when it succeeded.
// node client.js INFERENCE MANAGEMENT PROTOS PICTURE MODEL STORED
//   PROTOS    the folder that holds inference.proto and management.proto in subfolders: the project's root
//   MODEL     registered; answers PICTURE
//   STORED    in the model store, not registered

const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [inferenceAddress, managementAddress, protos, picture, model, stored] = process.argv.slice(2);
const image = fs.readFileSync(picture);

// Without default values: what the server does not send stays undefined.
const load = (file, ...folders) =>
  grpc.loadPackageDefinition(loader.loadSync(file, { keepCase: true, enums: String, includeDirs: folders }));

const inferenceFolder = path.join(protos, 'Serve.Frontend', 'Grpc');
const managementFolder = path.join(protos, 'Serve.Management', 'Grpc');
const serve = {
  inference: load('inference.proto', inferenceFolder).org.pytorch.serve.grpc.inference.InferenceAPIsService,
  management: load('management.proto', managementFolder).org.pytorch.serve.grpc.management.ManagementAPIsService,
};
const health = load('health.proto', __dirname).grpc.health.v1.Health;
const reflection = load('reflection.proto', __dirname).grpc.reflection.v1alpha.ServerReflection;

const connect = (Client, address) => new Client(address, grpc.credentials.createInsecure());
const inference = connect(serve.inference, inferenceAddress);
const management = connect(serve.management, managementAddress);

const say = (call, error, value) =>
  console.log(JSON.stringify({ call, code: error?.code ?? 0, details: error?.details ?? '', value: value ?? null }));

const unary = (name, client, method, request) =>
  new Promise(done => client[method](request, { deadline: Date.now() + 30_000 }, (error, answer) => {
    say(name, error, answer && (answer.msg ?? answer.health ?? answer.prediction?.toString() ?? answer.status));
    done();
  }));

// All parts of a stream, or the first of one that has no end.
const stream = (name, call, read, { onlyFirst = false } = {}) =>
  new Promise(done => {
    const parts = [];
    let hasEnded = false; // A failed stream says so with both of its events.
    const end = error => {
      if (hasEnded) return;
      hasEnded = true;
      say(name, error, parts);
      done();
    };
    call.on('data', part => {
      parts.push(read(part));
      if (!onlyFirst) return;
      end();
      call.cancel();
    });
    call.on('error', end);
    call.on('end', () => end());
  });

async function main() {
  await unary('Ping', inference, 'Ping', {});
  await unary('Predictions', inference, 'Predictions', { model_name: model, input: { data: image } });
  await unary('Predictions of a version', inference, 'Predictions', { model_name: model, model_version: '1.0', input: { data: image } });
  await unary('Predictions of no model', inference, 'Predictions', { model_name: 'nobody', input: { data: image } });
  await unary('Predictions of no picture', inference, 'Predictions', { model_name: model, input: { data: Buffer.from('text') } });
  await stream('StreamPredictions', inference.StreamPredictions({ model_name: model, input: { data: image } }), part => part.prediction.toString());

  const sequence = inference.StreamPredictions2();
  const answered = stream('StreamPredictions2', sequence, part => part.prediction.toString());
  sequence.write({ model_name: model, input: { data: image } });
  sequence.end();
  await answered;

  await unary('ListModels', management, 'ListModels', { limit: 10 });
  await unary('DescribeModel', management, 'DescribeModel', { model_name: model });
  await unary('DescribeModel customized', management, 'DescribeModel', { model_name: model, model_version: 'all', customized: true });
  await unary('RegisterModel', management, 'RegisterModel', { url: stored, model_name: 'js', initial_workers: 1, synchronous: true });
  await unary('RegisterModel again', management, 'RegisterModel', { url: stored, model_name: 'js' });
  await unary('ScaleWorker', management, 'ScaleWorker', { model_name: 'js', min_worker: 2, synchronous: true });
  await unary('SetDefault', management, 'SetDefault', { model_name: 'js', model_version: '1.0' });
  await unary('UnregisterModel', management, 'UnregisterModel', { model_name: 'js' });
  await unary('DescribeModel afterwards', management, 'DescribeModel', { model_name: 'js' });

  for (const [name, address] of [['inference', inferenceAddress], ['management', managementAddress]]) {
    const probe = connect(health, address);
    await unary(`Check of ${name}`, probe, 'Check', {});
    await stream(`Watch of ${name}`, probe.Watch({}), part => part.status, { onlyFirst: true });
    const ask = connect(reflection, address).ServerReflectionInfo();
    const listed = stream(`Reflection of ${name}`, ask, part => part.list_services_response.service.map(service => service.name));
    ask.write({ list_services: '' });
    ask.end();
    await listed;
    probe.close();
  }
}

main().then(() => process.exit(0), error => {
  console.error(error);
  process.exit(1);
});
