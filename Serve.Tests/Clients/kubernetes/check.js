// Prints what is wrong with the Kubernetes objects in files of YAML, one fault a line; nothing if nothing is.
//
// The validators of kubernetes-models are compiled from the OpenAPI schema that Kubernetes publishes, those of
// @kubernetes-models/* from the published CRDs of KEDA and Prometheus' operator. They let unknown fields pass, as the schemas
// do; the API server does not. So each object is looked at through a proxy that notes which fields the validator reads: it
// reads every field that the schema has, and no other.
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

const title = text => text[0].toUpperCase() + text.slice(1);
const custom = {
  "keda.sh": (version, kind) => `@kubernetes-models/keda/_schemas/ComGithubKedacoreKedaV2ApisKeda${title(version)}${kind}.js`,
  "monitoring.coreos.com": (version, kind) => `@kubernetes-models/prometheus-operator/_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoring${title(version)}${kind}.js`,
};

function schemaOf(apiVersion, kind) {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion];
  return custom[group]?.(version, kind) ?? `kubernetes-models/_schemas/IoK8sApi${group.replace(".k8s.io", "").split(".").concat(version).map(title).join("")}${kind}.js`;
}

async function validatorOf(apiVersion, kind) {
  try {
    const module = await import(new URL(`node_modules/${schemaOf(apiVersion, kind)}`, import.meta.url));
    return module.validate ?? module.default.validate;
  } catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

// One proxy for each value, however often it is read.
function watched(value, seen, proxies = new Map()) {
  if (value === null || typeof value !== "object") return value;
  if (proxies.has(value)) return proxies.get(value);
  const read = new Set();
  seen.set(value, read);
  const proxy = new Proxy(value, {
    get(target, key) {
      if (typeof key === "string") read.add(key);
      return watched(target[key], seen, proxies);
    },
  });
  proxies.set(value, proxy);
  return proxy;
}

function unread(value, seen, path, faults) {
  if (value === null || typeof value !== "object") return;
  const read = seen.get(value);
  for (const key of Object.keys(value)) {
    if (Array.isArray(value)) unread(value[key], seen, `${path}[${key}]`, faults);
    else if (read.has(key)) unread(value[key], seen, `${path}.${key}`, faults);
    else faults.push(`${path}.${key} is unknown`);
  }
}

async function check(object, where) {
  const { apiVersion, kind, metadata } = object;
  const path = `${where}: ${kind}/${metadata?.name}`;
  const validate = await validatorOf(String(apiVersion), String(kind));
  if (!validate) return [`${path}: there is no ${kind} in ${apiVersion}`];
  const seen = new Map();
  const faults = [];
  if (!validate(watched(object, seen))) faults.push(...validate.errors.map(error => `${path}${error.instancePath.replaceAll("/", ".")} ${error.message ?? error.keyword} ${JSON.stringify(error.params)}`));
  unread(object, seen, path, faults);
  return faults;
}

for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"), { version: "1.1" })) {
    const faults = document.errors.length ? document.errors.map(error => `${file}: ${error.message}`) : document.contents === null ? [] : await check(document.toJS(), file.split("/").at(-1));
    for (const fault of faults) console.log(fault);
  }
}
