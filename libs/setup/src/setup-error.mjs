/** A failure that the user can act on, printed without a stack. Exit codes: 4 environment, 2 usage, 130 interrupted. */
export class SetupError extends Error {
  constructor(message, { hint = '', exitCode = 4 } = {}) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

export class Interrupted extends SetupError {
  constructor() {
    super('interrupted; the same command continues from here', { exitCode: 130 });
  }
}

// Patterns in the output of npm and pip. Earlier causes hide later ones: a full disk also shows up as a failed download.
const causes = [
  {
    pattern: /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/,
    what: 'the disk is full',
    hint: 'free some space (a whole set-up takes about 4 GB in the checkout, and pip and npm keep caches), then repeat the set-up',
  },
  {
    pattern: /\b(E401|E403|40[137] (Client )?(Error|Unauthorized|Forbidden|Proxy))|(HTTP error|status code) 40[137]/i,
    what: 'the registry refused access',
    hint: 'log in to the registry that your npm or pip uses (`npm config get registry`, `pip config list`), then repeat the set-up',
  },
  {
    pattern:
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|NewConnectionError|Failed to establish a new connection|Temporary failure in name resolution|Name or service not known|Connection(Reset)?Error|Connection refused|ProxyError|Max retries exceeded|ReadTimeout|Network is unreachable/i,
    what: 'the registry cannot be reached',
    hint: 'check the network, and the registry and proxy that your npm or pip uses (`npm config get registry`, `pip config list`), then repeat the set-up',
  },
  {
    pattern: /CERTIFICATE_VERIFY_FAILED|UNABLE_TO_VERIFY|SELF_SIGNED_CERT|SSLError/i,
    what: "the registry's certificate is not trusted on this machine",
    hint: 'configure the certificate of your network in npm (`cafile`) or pip (`cert`), then repeat the set-up',
  },
  {
    // pip prints this both for an index that it could not reach and for an empty one.
    pattern: /from versions: none/,
    what: 'the registry offers no version of that package',
    hint: 'check that the registry that your pip uses can be reached and has the package (`pip config list`), then repeat the set-up',
  },
  {
    pattern: /No matching distribution found|Could not find a version|E404|ETARGET|is not in this registry/i,
    what: 'the registry does not have a version that fits this machine',
    hint: 'the lines above name it; --python PATH chooses another Python',
  },
  {
    pattern: /EUSAGE|can only install packages when your package\.json and package-lock\.json/i,
    what: 'package.json and package-lock.json do not agree',
    hint: 'run `npm install` once and review its changes',
  },
];

/** Explains a failed npm or pip by its output. */
export function explainFailure(program, output, exitCode) {
  const known = causes.find(({ pattern }) => pattern.test(output));
  const tail = output.trimEnd().split('\n').slice(-12).join('\n');
  return new SetupError(`${tail}\n\n${program} failed: ${known?.what ?? `exit code ${exitCode}`}`, {
    hint: known?.hint ?? 'its last lines are above; the set-up can be repeated at any time',
  });
}
