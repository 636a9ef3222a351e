import { environment } from '../environment.js';
import { MlflowAddressInvalid } from './errors.js';

/** Address and credentials of a server. */
export interface TrackingAddress {
  /** Without a trailing slash, user and password. */
  trackingUri: string;

  /** Value of the Authorization header. */
  authorization?: string;
}

/**
 * Determines the address (default env MLFLOW_TRACKING_URI) and the credentials: `token`, or else those inside the address, or
 * else MLflow's own variables MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD.
 *
 * @throws MlflowAddressInvalid for anything but http and https
 */
export function readTrackingAddress(given?: string, token?: string): TrackingAddress {
  const defaults = environment();
  const text = given ?? defaults.trackingUri;
  if (!text) {
    throw new MlflowAddressInvalid('the address of the MLflow server is not set', {
      hint: 'set MLFLOW_TRACKING_URI; `nautil up` starts a server and prints its address',
    });
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new MlflowAddressInvalid(`MLflow tracking address ${text} is not http:// or https://`, {
      hint: 'Nautil tracks runs on a server; `nautil up` starts one and prints its address',
    });
  }
  const user = url.username === '' ? defaults.user : decodeURIComponent(url.username);
  const password = url.password === '' ? defaults.password : decodeURIComponent(url.password);
  const bearer = token ?? (url.username === '' ? defaults.token : undefined);
  const basic = user === undefined ? undefined : `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`;
  const authorization = bearer === undefined ? basic : `Bearer ${bearer}`;
  url.username = url.password = url.search = url.hash = '';
  return { trackingUri: url.href.replace(/\/+$/, ''), ...(authorization === undefined ? {} : { authorization }) };
}
