import { UsageError } from '@nautil/contracts';

/** Hydra's command line. */
export interface HydraArguments {
  configPath?: string;
  configName?: string;
  overrides: string[];
}

/** Parses `--config-path DIR`, `--config-name NAME` (also with `=`), and overrides in any order. */
export function parseHydraArguments(args: readonly string[]): HydraArguments {
  const parsed: HydraArguments = { overrides: [] };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, option, given] = /^(--config-path|--config-name|-cp|-cn|--config-dir)(?:=(.*))?$/s.exec(arg) ?? [];
    if (option !== undefined) {
      const value = given ?? rest.shift();
      if (value === undefined || value === '')
        throw new UsageError(`${option} needs a value`, { hint: `${option} ${exampleOf(option)}` });
      if (isName(option)) parsed.configName = value;
      else parsed.configPath = value;
    } else if (arg === '-m' || arg === '--multirun') {
      throw new UsageError(`${arg}: a multirun is a sweep, which has its own command`, {
        hint: 'npx nautil sweep -m model.optim.lr=1e-5,2e-5',
      });
    } else if (arg.startsWith('-')) {
      throw new UsageError(`${arg} is not an option of this command`, {
        hint: 'the options are --config-path DIR, --config-name NAME and --help; everything else is an override, key=value',
      });
    } else {
      parsed.overrides.push(arg);
    }
  }
  return parsed;
}

const isName = (option: string): boolean => option === '--config-name' || option === '-cn';
const exampleOf = (option: string): string => (isName(option) ? 'sst2' : 'conf');
