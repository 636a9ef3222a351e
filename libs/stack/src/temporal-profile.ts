import { existsSync, readFileSync } from 'node:fs';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import {
  loadFromTomlData,
  type TomlClientConfigProfile,
  tomlLoadClientConfigProfile,
} from '@temporalio/envconfig/lib/envconfig-toml.js';
import { environmentVariable } from '@nautil/store';
import { TemporalSettingError } from './errors.js';

/** Temporal's settings: those of a profile of the configuration file, overridden by the variables. */
export interface TemporalProfile {
  readonly settings: TomlClientConfigProfile;

  /** Names where a setting comes from: its variable, or its key in the file. `key` is as in the file: `tls.client_cert_path`. */
  readonly sourceOf: (key: string) => string;
}

/**
 * Reads Temporal's variables and the profile in use. Other profiles are not checked: they can be for other programs.
 *
 * @throws TemporalSettingError for what cannot be read, a key that does not exist, and a value of the wrong form
 */
export function readTemporalProfile(): TemporalProfile {
  const file = configurationFile();
  const profile = environmentVariable('TEMPORAL_PROFILE') ?? 'default';
  const text = file === undefined ? undefined : readConfigurationFile(file);
  const isInFile = text !== undefined && checkFile(text, file ?? '', profile);
  if (!isInFile) refuseNamedProfile(file);
  checkVariables();
  const sourceOf = (key: string): string => {
    const variable = variableOf(key);
    return environmentVariable(variable) === undefined ? `${key} in ${file}, profile ${profile}` : variable;
  };
  const settings = tomlLoadClientConfigProfile({
    overrideEnvVars: setVariables(),
    ...(isInFile ? { profile, configSource: { data: text } } : { disableFile: true }),
  });
  checkValues(settings, sourceOf);
  return { settings, sourceOf };
}

/** The variable that overrides a key of the file. */
const variableOf = (key: string): string => `TEMPORAL_${key.replace('.', '_').toUpperCase()}`;

/** An empty variable counts as not set. */
function setVariables(): Record<string, string> {
  const set = Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]);
  // The profile is selected by its argument: the library would look for a named one where there is no file.
  return Object.fromEntries(set.filter(([name]) => name !== 'TEMPORAL_PROFILE'));
}

/** The same file as for Temporal's own programs; undefined when there is no folder for it. */
function configurationFile(): string | undefined {
  const named = environmentVariable('TEMPORAL_CONFIG_FILE');
  if (named !== undefined) return named;
  const folder = environmentVariable('XDG_CONFIG_HOME') ?? join(homedir(), '.config');
  return isAbsolute(folder) ? join(folder, 'temporalio', 'temporal.toml') : undefined;
}

/** Undefined when the file does not exist, unless a variable names it. */
function readConfigurationFile(file: string): string | undefined {
  const isNamed = environmentVariable('TEMPORAL_CONFIG_FILE') !== undefined;
  if (!isNamed && !existsSync(file)) return undefined;
  return readSettingsFile(file, isNamed ? 'TEMPORAL_CONFIG_FILE' : "Temporal's configuration file").toString('utf8');
}

/**
 * Reads a file that a setting names.
 *
 * @throws TemporalSettingError
 */
export function readSettingsFile(path: string, source: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const problem =
      code === 'ENOENT'
        ? `${path === '' ? 'an empty path' : path} does not exist`
        : `${path} cannot be read: ${message}`;
    throw new TemporalSettingError(`${source}: ${problem}`, { hint: 'correct the path, or remove the setting', cause });
  }
}

const tables = {
  profile: ['address', 'namespace', 'api_key', 'tls', 'codec', 'grpc_meta'],
  tls: [
    ...['disabled', 'server_name', 'disable_host_verification'],
    ...['client_cert', 'client_key', 'server_ca_cert'].flatMap((name) => [`${name}_path`, `${name}_data`]),
  ],
  codec: ['endpoint', 'auth'],
};

const booleans = ['disabled', 'disable_host_verification'];

/**
 * Checks the keys and types of the file, which the library ignores or takes as they are. Its own strict mode rejects settings of
 * profiles that are for other programs.
 *
 * @returns whether the profile exists
 */
function checkFile(text: string, file: string, profile: string): boolean {
  const content = parseFile(text, file);
  requireKnown(content, ['profile'], file);
  if (content['profile'] === undefined) return false;
  const profiles = requireTable(content['profile'], `profile in ${file}`);
  if (profiles[profile] === undefined) return false;
  const place = `${file}, profile ${profile}`;
  const table = requireTable(profiles[profile], place);
  requireKnown(table, tables.profile, place);
  for (const [key, value] of Object.entries(table)) {
    if (key === 'tls' || key === 'codec' || key === 'grpc_meta') checkTable(key, value, place);
    else requireType(value, 'string', `${key} in ${place}`);
  }
  return true;
}

function checkTable(name: 'tls' | 'codec' | 'grpc_meta', value: unknown, place: string): void {
  const table = requireTable(value, `${name} in ${place}`);
  if (name !== 'grpc_meta') requireKnown(table, tables[name], place, `${name}.`);
  for (const [key, entry] of Object.entries(table))
    requireType(entry, name === 'tls' && booleans.includes(key) ? 'boolean' : 'string', `${name}.${key} in ${place}`);
}

function parseFile(text: string, file: string): Record<string, unknown> {
  try {
    return { ...loadFromTomlData(text, false) };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new TemporalSettingError(`${file} is not valid TOML: ${message}`, { hint: 'correct that file', cause });
  }
}

function requireKnown(table: Record<string, unknown>, known: readonly string[], place: string, prefix = ''): void {
  const unknown = Object.keys(table).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  const named = unknown.map((key) => `${prefix}${key}`).join(', ');
  throw new TemporalSettingError(`${place}: unknown ${unknown.length === 1 ? 'key' : 'keys'} ${named}`, {
    hint: `the keys there are ${known.map((key) => `${prefix}${key}`).join(', ')}`,
  });
}

function requireTable(value: unknown, place: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date))
    return { ...value };
  throw new TemporalSettingError(`${place} is not a table`, { hint: 'correct that file' });
}

function requireType(value: unknown, type: 'string' | 'boolean', place: string): void {
  if (typeof value === type) return;
  throw new TemporalSettingError(`${place} is not a ${type}`, { hint: 'correct that file' });
}

function refuseNamedProfile(file: string | undefined): void {
  const profile = environmentVariable('TEMPORAL_PROFILE');
  if (profile === undefined) return;
  const problem =
    file === undefined || !existsSync(file)
      ? `there is no configuration file${file === undefined ? '' : ` ${file}`}`
      : `${file} has no profile '${profile}'`;
  throw new TemporalSettingError(`TEMPORAL_PROFILE=${profile}: ${problem}`, {
    hint: 'name a profile of the configuration file, name its file in TEMPORAL_CONFIG_FILE, or unset the variable',
  });
}

/** The library takes any other value for false, which would send a key without TLS. */
function checkVariables(): void {
  const tls = environmentVariable('TEMPORAL_TLS');
  if (tls === undefined || /^(0|1|true|false)$/.test(tls)) return;
  throw new TemporalSettingError(`TEMPORAL_TLS=${tls} is not true or false`, { hint: 'set it to true or false' });
}

/** Checks what would fail within a request, without the name of the setting. */
function checkValues(settings: TomlClientConfigProfile, sourceOf: TemporalProfile['sourceOf']): void {
  const { namespace, api_key: apiKey, grpc_meta: metadata = {} } = settings;
  if (namespace !== undefined && !/^\S+$/.test(namespace)) {
    throw new TemporalSettingError(`${sourceOf('namespace')}: ${JSON.stringify(namespace)} is not a namespace`, {
      hint: 'give the name of a namespace without spaces, or remove the setting for the namespace default',
    });
  }
  // The key itself is not shown.
  if (apiKey !== undefined && !/^[\x21-\x7E]+$/.test(apiKey)) {
    throw new TemporalSettingError(
      `${sourceOf('api_key')}: the key is empty, or has a space, a line break or a letter outside ASCII`,
      {
        hint: 'set it to the key alone; a key in a file: TEMPORAL_API_KEY="$(cat FILE)"',
      },
    );
  }
  for (const [name, value] of Object.entries(metadata)) requireHeader(name, value, sourceOf(`grpc_meta.${name}`));
}

function requireHeader(name: string, value: string, source: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch (cause) {
    throw new TemporalSettingError(`${source}: it cannot be sent as a header`, {
      hint: 'use letters, digits and hyphens in the name, and ASCII without line breaks in the value',
      cause,
    });
  }
}
