import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { parse, parseAllDocuments } from 'yaml';
import { searchAttributes } from '@nautil/contracts';
import { type Manifest, manifestProblems } from './testing/manifest-problems.js';
import { root, runProgram } from './testing/run-program.js';
import { temporalParameters, type TemporalTrigger, temporalTrigger } from './testing/temporal-trigger.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** How long a worker lets its stages end after SIGTERM. */
const shutdownSeconds =
  Number(/shutdownForceTime = '(\d+) minutes'/.exec(read('apps/cli/src/worker/run-workers.ts'))?.[1]) * 60;

describe('Dockerfile', () => {
  const dockerfile = read('Dockerfile');
  const instructions = DockerfileParser.parse(dockerfile).getInstructions();
  const argumentsOf = (keyword: string): string[] =>
    instructions.filter((one) => one.getKeyword() === keyword).map((one) => one.getArgumentsContent() ?? '');

  const problems = (content: string): string[] => validate(content).map(({ message }) => JSON.stringify(message));

  test('has no problem', () => expect(problems(dockerfile)).toEqual([]));

  test.each([
    ['--interval', '--delay'],
    ['--from=base', '--form=base'],
    ['ENTRYPOINT', 'ENTRYPOINTS'],
    ['AS worker', 'AS base'],
  ])('with %s replaced by %s has one', (right, wrong) => {
    expect(dockerfile).toContain(right);
    expect(problems(dockerfile.replace(right, wrong))).not.toEqual([]);
  });

  test('copies only what .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = DockerfileParser.parse(dockerfile)
      .getCOPYs()
      .filter((copy) => copy.getFromFlag() === null)
      .map((copy) => copy.getArguments()[0]?.getValue() ?? '');
    expect(copied.length).toBeGreaterThan(2);
    const isAllowed = (source: string): boolean =>
      allowed.some((path) => source === path || source.startsWith(`${path}/`));
    expect(copied.filter((source) => !isAllowed(source))).toEqual([]);
  });

  test('runs a worker as a user without rights, with its state in a volume, and checks it', () => {
    expect(argumentsOf('USER')).toEqual(['10001']);
    expect(argumentsOf('VOLUME')).toEqual(['/var/lib/nautil']);
    expect(argumentsOf('ENTRYPOINT')).toEqual(['["start-worker"]']);
    expect(argumentsOf('HEALTHCHECK')).toEqual([expect.stringContaining('/opt/nautil/check-worker.mjs')]);
  });
});

interface Service {
  image: string;
  ports?: string[];
  environment?: Record<string, string>;
  command?: string[];
  entrypoint?: string[];
  build?: { dockerfile_inline?: string };
  stop_grace_period?: string;
  healthcheck?: object;
  restart?: string;
}

describe('compose.yaml', () => {
  const files = ['compose.yaml', 'deploy/compose.gpu.yaml'];

  /** Against the Compose specification's schema, and for ports that other machines reach and images without a version. */
  const problems = async (path: string): Promise<string[]> => {
    const linter = join(root, 'node_modules/dclint/bin/dclint.cjs');
    const options = ['--config', join(root, '.dclintrc.json'), '--formatter', 'json'];
    const { stdout } = await runProgram(process.execPath, [linter, ...options, path]);
    const results = JSON.parse(stdout) as { messages: { rule: string; message: string }[] }[];
    expect(results).toHaveLength(1);
    return results.flatMap(({ messages }) => messages.map(({ rule, message }) => `${rule}: ${message}`));
  };

  test.each(files)('%s has no problem', async (path) => expect(await problems(join(root, path))).toEqual([]));

  test.each([
    ['healthcheck:', 'health:'],
    ['service_healthy', 'service_health'],
    ["'127.0.0.1:5000:5000'", "'5000:5000'"],
    ['postgres:16.10-bookworm', 'postgres:latest'],
    ['stop_grace_period: 150s', 'stop_grace_period: [150]'],
  ])('compose.yaml with %s replaced by %s has a problem', async (right, wrong) => {
    const folder = mkdtempSync(join(tmpdir(), 'nautil-compose-'));
    try {
      expect(read('compose.yaml')).toContain(right);
      writeFileSync(join(folder, 'compose.yaml'), read('compose.yaml').replace(right, wrong));
      expect(await problems(join(folder, 'compose.yaml'))).not.toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const { services } = parse(read('compose.yaml'), { merge: true }) as { services: Record<string, Service> };
  const entries = Object.entries(services);

  test.each(entries)('%s is reached from this machine alone', (_, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test.each(entries)('%s has no password in the file', (_, { environment = {} }) => {
    const secrets = Object.entries(environment).filter(([name]) => /PASSWORD|PWD|SECRET|MC_HOST|STORE_URI/.test(name));
    for (const [, value] of secrets) expect(value).toMatch(/\$\{[A-Z_]+:\?set it in deploy\/compose\.env\}/);
  });

  test.each(entries)('%s runs once, or can be checked', (_, { restart, healthcheck, image }) => {
    const isChecked = healthcheck !== undefined || image.startsWith('nautil:') || image.startsWith('temporalio/ui:');
    expect(restart?.startsWith('on-failure:') === true || isChecked).toBe(true);
  });

  test('workers get as long to end as they may take', () => {
    for (const name of ['worker-cpu', 'worker-gpu'])
      expect(parseInt(services[name]?.stop_grace_period ?? '')).toBeGreaterThan(shutdownSeconds + 15);
  });

  test("Temporal's UI is published behind the gate alone, at a port that browsers block", () => {
    const published = entries.filter(([, { ports = [] }]) => ports.some((port) => port.includes(':8233:')));
    expect(published.map(([name]) => name)).toEqual(['ui-gate']);
    expect(services['temporal-ui']?.ports).toBeUndefined();
    const [, , gatePort, upstream, upstreamPort] = services['ui-gate']?.entrypoint ?? [];
    expect([gatePort, upstream]).toEqual(['8233', 'temporal-ui']);
    expect(upstreamPort).toBe(services['temporal-ui']?.environment?.['TEMPORAL_UI_PORT']);
    expect(Number(upstreamPort)).toBeGreaterThanOrEqual(6665);
    expect(Number(upstreamPort)).toBeLessThanOrEqual(6669);
  });

  test.each(['worker-cpu', 'worker-gpu', 'ui-gate'])('%s has no capabilities, and gets none', (name) => {
    expect(services[name]).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  });

  test('the search attributes are those that workflows set', () => {
    const script = services['temporal-setup']?.command?.join('\n') ?? '';
    const created = [...script.matchAll(/--name (\S+) --type (\S+)/g)].map(([, name, type]) => [name, type]);
    expect(Object.fromEntries(created)).toEqual(searchAttributes);
  });

  test('MLflow has the version that the set-up installs', () => {
    const installed = /mlflow==[\d.]+/.exec(read('libs/setup/src/python-environment.mjs'))?.[0];
    expect(services['mlflow']?.build?.dockerfile_inline).toContain(`install --no-cache-dir ${installed} `);
    expect(services['mlflow']?.image).toBe(`nautil-mlflow:${installed?.replace('mlflow==', '')}`);
  });

  test('the passwords that it needs are in the example', () => {
    const needed = new Set([...read('compose.yaml').matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name));
    const given = [...read('deploy/compose.env.example').matchAll(/^([A-Z_]+)=$/gm)].map(([, name]) => name);
    expect([...needed].sort()).toEqual(given.sort());
  });
});

interface PodTemplate {
  metadata: { labels: Record<string, string> };
  spec: { terminationGracePeriodSeconds: number; containers: { env: { name: string }[] }[] };
}
interface Deployment extends Manifest {
  spec: { selector: { matchLabels: Record<string, string> }; template: PodTemplate };
}
interface ScaledObject extends Manifest {
  spec: {
    scaleTargetRef: { name: string };
    triggers: { type: string; metadata: TemporalTrigger; authenticationRef: { name: string } }[];
  };
}
interface TriggerAuthentication extends Manifest {
  spec: { secretTargetRef: { parameter: string; name: string }[] };
}

describe('the manifests for Kubernetes', () => {
  const folder = 'deploy/kubernetes';
  const texts = readdirSync(join(root, folder)).map((name) => read(join(folder, name)));
  const manifestsIn = (text: string): Manifest[] =>
    parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  const manifests = texts.flatMap(manifestsIn);
  const of = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
  const deployments = of('Deployment') as Deployment[];
  const scaledObjects = of('ScaledObject') as ScaledObject[];

  test('fit the schemas', async () => {
    expect(manifests.length).toBeGreaterThan(8);
    expect(await manifestProblems(manifests)).toEqual([]);
  }, 120_000);

  test('a field that does not exist, a missing field and a wrong type are problems', async () => {
    const mistakes: [string, string][] = [
      ['terminationGracePeriodSeconds', 'terminationGracePeriod'],
      ['maxUnavailable: 1\n  selector', 'unavailable: 1\n  selector'],
      ['cooldownPeriod: 600', 'cooldownPeriods: 600'],
      ['secretTargetRef', 'secretTarget'],
      ['claimName: nautil-state', 'claim: nautil-state'],
      ['containerPort: 9464', "containerPort: '9464'"],
      ['accessModes: [ReadWriteMany]', 'accessModes: ReadWriteMany'],
    ];
    const wrong = mistakes.flatMap(([right, mistake]) => {
      const text = texts.find((candidate) => candidate.includes(right)) ?? '';
      return manifestsIn(text.replace(right, mistake)).filter(
        (changed) => !manifests.some((manifest) => JSON.stringify(manifest) === JSON.stringify(changed)),
      );
    });
    expect(wrong).toHaveLength(mistakes.length);
    const found = (await manifestProblems(wrong)).map((line) => /-(\d+)\.ts/.exec(line)?.[1]);
    expect([...new Set(found)].sort()).toEqual(mistakes.map((_, index) => String(index)));
  }, 120_000);

  test('everything is in the namespace', () => {
    const [namespace] = of('Namespace');
    for (const manifest of manifests.filter(({ kind }) => kind !== 'Namespace'))
      expect(manifest.metadata.namespace).toBe(namespace?.metadata.name);
  });

  test.each(deployments.map((deployment) => [deployment.metadata.name, deployment] as const))(
    '%s selects the pods of its version, and gives them time to end',
    (_, { metadata, spec }) => {
      expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
      expect(metadata.labels).toEqual(spec.template.metadata.labels);
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(shutdownSeconds + 15);
      expect(spec.template.spec.containers[0]?.env.map(({ name }) => name)).toContain('TEMPORAL_WORKER_BUILD_ID');
    },
  );

  test('the probe and the command are in the image', () => {
    const dockerfile = read('Dockerfile');
    const probes = texts.join('\n').match(/command: \[node, (.*)\]/g) ?? [];
    expect(probes).toHaveLength(deployments.length);
    for (const probe of probes) expect(dockerfile).toContain(/\/opt\S+\.mjs/.exec(probe)?.[0]);
    expect(existsSync(join(root, 'deploy/container/check-worker.mjs'))).toBe(true);
  });

  test('what they refer to exists', () => {
    const names = new Set(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    const all = texts.join('\n');
    const referred = [
      ...[...all.matchAll(/configMapRef:\n\s+name: (\S+)/g)].map(([, name]) => `ConfigMap ${name}`),
      ...[...all.matchAll(/claimName: (\S+)/g)].map(([, name]) => `PersistentVolumeClaim ${name}`),
      ...[...all.matchAll(/authenticationRef:\n\s+name: (\S+)/g)].map(([, name]) => `TriggerAuthentication ${name}`),
      ...scaledObjects.map(({ spec }) => `Deployment ${spec.scaleTargetRef.name}`),
    ];
    expect(referred.length).toBeGreaterThan(6);
    expect(referred.filter((name) => !names.has(name))).toEqual([]);
  });

  const isTrigger = new Ajv({ allErrors: true }).compile(temporalTrigger);
  const problemsOf = (trigger: object): string[] =>
    isTrigger(trigger) ? [] : (isTrigger.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);

  test('each Deployment is scaled by the queues of its version', () => {
    expect(scaledObjects.map(({ spec }) => spec.scaleTargetRef.name).sort()).toEqual(
      deployments.map(({ metadata }) => metadata.name).sort(),
    );
    for (const { spec } of scaledObjects) {
      const target = deployments.find(({ metadata }) => metadata.name === spec.scaleTargetRef.name);
      for (const { type, metadata } of spec.triggers) {
        expect({ type, problems: problemsOf(metadata) }).toEqual({ type: 'temporal', problems: [] });
        expect(metadata.workerDeploymentBuildId).toBe(target?.metadata.labels?.['app.kubernetes.io/version']);
      }
    }
    const queues = scaledObjects.flatMap(({ spec }) => spec.triggers.map(({ metadata }) => metadata.taskQueue));
    expect(queues).toEqual(['nautil', 'nautil@ID', 'nautil-gpu']);
  });

  test.each([{ taskQueues: 'x' }, { targetQueueSize: 5 }, { queueTypes: 'activities' }, { endpoint: 'http://t:7233' }])(
    'a trigger with %j is a problem',
    (mistake) => {
      const trigger = scaledObjects[0]?.spec.triggers[0]?.metadata;
      expect(problemsOf({ ...trigger, ...mistake })).not.toEqual([]);
    },
  );

  test('the scaler logs in with parameters that it reads', () => {
    const used = (of('TriggerAuthentication') as TriggerAuthentication[]).flatMap(({ spec }) => spec.secretTargetRef);
    expect(used.length).toBeGreaterThan(0);
    for (const { parameter } of used) expect(temporalParameters).toContain(parameter);
  });
});
