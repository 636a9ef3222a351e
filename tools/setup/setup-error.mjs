/** What a person can act on; printed without a stack. `exitCode` follows the programs' codes: 4 environment, 2 usage, 130 interrupted. */
export class SetupError extends Error {
  constructor(message, { hint = '', exitCode = 4 } = {}) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

export class Interrupted extends SetupError {
  constructor() {
    super('interrupted; run the same command again to go on from here', { exitCode: 130 });
  }
}

// What npm and pip print, in the order in which one cause hides another: a full disk also ends as a failed download.
const causes = [
  {
    pattern: /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/,
    what: 'the disk is full',
    hint: 'free some space (a whole set-up takes about 4 GB in the checkout, and pip and npm keep caches), then run it again',
  },
  {
    pattern: /\b(E401|E403|40[137] (Client )?(Error|Unauthorized|Forbidden|Proxy))|(HTTP error|status code) 40[137]/i,
    what: 'the registry refused',
    hint: 'log in to the registry that your npm or pip is set to (`npm config get registry`, `pip config list`), then run it again',
  },
  {
    pattern:
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|NewConnectionError|Failed to establish a new connection|Temporary failure in name resolution|Name or service not known|Connection(Reset)?Error|Connection refused|ProxyError|Max retries exceeded|ReadTimeout|Network is unreachable/i,
    what: 'the registry cannot be reached',
    hint: 'check the network, and the registry and proxy that your npm or pip is set to (`npm config get registry`, `pip config list`), then run it again',
  },
  {
    pattern: /CERTIFICATE_VERIFY_FAILED|UNABLE_TO_VERIFY|SELF_SIGNED_CERT|SSLError/i,
    what: "the registry's certificate is not trusted here",
    hint: 'give your npm (`cafile`) or pip (`cert`) the certificate of your network, then run it again',
  },
  {
    // pip says the same of an index that it could not reach and of one that is empty.
    pattern: /from versions: none/,
    what: 'the registry gave no version of that package',
    hint: 'check that the registry that your pip is set to can be reached and has it (`pip config list`), then run it again',
  },
  {
    pattern: /No matching distribution found|Could not find a version|E404|ETARGET|is not in this registry/i,
    what: 'the registry does not have a version that fits this machine',
    hint: 'see the lines above for its name; another Python can be chosen with --python PATH',
  },
  {
    pattern: /EUSAGE|can only install packages when your package\.json and package-lock\.json/i,
    what: 'package.json and package-lock.json do not agree',
    hint: 'run `npm install` once and look at what it changed',
  },
];

/** The cause of a failed npm or pip, found in its output. */
export function explainFailure(program, output, exitCode) {
  const known = causes.find(({ pattern }) => pattern.test(output));
  const tail = output.trimEnd().split('\n').slice(-12).join('\n');
  return new SetupError(`${tail}\n\n${program} failed: ${known?.what ?? `exit code ${exitCode}`}`, {
    hint: known?.hint ?? 'its last lines are above; set-up can be run again at any time',
  });
}
