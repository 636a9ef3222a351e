import { environmentVariable } from '../environment-variable.js';

/**
 * The value of the Authorization header for MLflow's server: the login in its address, else MLFLOW_TRACKING_TOKEN, else
 * MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, in the order of MLflow's own clients. Send it to the server's origin only.
 *
 * @param server - the address in MLFLOW_TRACKING_URI, if it is set
 * @returns undefined when there is no login
 */
export function mlflowLogin(server?: URL): string | undefined {
  const inAddress = server && loginIn(server);
  if (inAddress !== undefined) return inAddress;
  const token = environmentVariable('MLFLOW_TRACKING_TOKEN');
  if (token !== undefined) return `Bearer ${token}`;
  const user = environmentVariable('MLFLOW_TRACKING_USERNAME');
  return user === undefined ? undefined : basic(user, environmentVariable('MLFLOW_TRACKING_PASSWORD') ?? '');
}

/** The value of the Authorization header for the user and the password in an address; undefined when it has neither. */
export const loginIn = ({ username, password }: URL): string | undefined =>
  username === '' && password === '' ? undefined : basic(decoded(username), decoded(password));

/** Undoes percent-encoding. A percent sign that begins no code is left as it is. */
const decoded = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (codes) => Buffer.from(codes.replaceAll('%', ''), 'hex').toString());

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
