import { UsageError } from '@nautil/contracts';

/** What was typed after `nx run trainer:train --`. */
export interface HydraArguments {
  configPath?: string;
  configName?: string;
  overrides: string[];
  help: boolean;
}

/** Hydra's command line: `--config-path DIR`, `--config-name NAME` (also with `=`), and overrides in any order. */
export function parseHydraArguments(args: readonly string[]): HydraArguments {
  const parsed: HydraArguments = { overrides: [], help: false };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, option, given] = /^(--config-path|--config-name|-cp|-cn|--config-dir)(?:=(.*))?$/s.exec(arg) ?? [];
    if (option !== undefined) {
      const value = given ?? rest.shift();
      if (value === undefined || value === '')
        throw new UsageError(`${option} wants a value`, { hint: `${option} ${exampleOf(option)}` });
      if (isName(option)) parsed.configName = value;
      else parsed.configPath = value;
    } else if (arg === '--help' || arg === '-h') {
      parsed.help = true;
    } else if (arg === '-m' || arg === '--multirun') {
      throw new UsageError(`${arg}: several runs are a sweep, which is a workflow of its own`, {
        hint: 'npx nautil sweep -m model.optim.lr=1e-5,2e-5',
      });
    } else if (arg.startsWith('-')) {
      throw new UsageError(`${arg} is no option of this program`, {
        hint: 'the options are --config-path DIR, --config-name NAME and --help; the rest are overrides, key=value',
      });
    } else {
      parsed.overrides.push(arg);
    }
  }
  return parsed;
}

const isName = (option: string): boolean => option === '--config-name' || option === '-cn';
const exampleOf = (option: string): string => (isName(option) ? 'sst2' : 'conf');
