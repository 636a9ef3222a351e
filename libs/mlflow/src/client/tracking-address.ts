import { loginIn, mlflowLogin } from '@nautil/store/http';
import { environment } from '../environment.js';
import { MlflowAddressInvalid } from './errors.js';

/** Address and credentials of a server. */
export interface TrackingAddress {
  /** Without a trailing slash, user and password. */
  trackingUri: string;

  /** Value of the Authorization header. */
  authorization?: string;

  /** True for the server that the environment of this process names, and not, for example, the configuration of a run. */
  isOwn: boolean;
}

/**
 * Determines the address (default: the process's own server) and the credentials. Those of the environment (the address in
 * MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD) are for the origin of the
 * process's own server only. Any other server gets nothing but what its own address contains.
 *
 * @param ownServer - the server that the process's own environment names; default MLFLOW_TRACKING_URI
 * @throws MlflowAddressInvalid for anything but http and https
 */
export function readTrackingAddress(given?: string, ownServer?: string): TrackingAddress {
  const own = ownServer ?? environment().trackingUri;
  const url = parseAddress(given ?? own);
  const ownUrl = own === undefined ? undefined : parseAddress(own);
  const isOwn = ownUrl?.origin === url.origin;
  const authorization = loginIn(url) ?? (isOwn ? mlflowLogin(ownUrl) : undefined);
  url.username = url.password = url.search = url.hash = '';
  return {
    trackingUri: url.href.replace(/\/+$/, ''),
    ...(authorization === undefined ? {} : { authorization }),
    isOwn,
  };
}

/**
 * Whether this process has credentials for MLflow that a server does not get, because it is not the process's own.
 *
 * @param ownServer - as above
 */
export function withholdsCredentials(trackingUri: string, ownServer?: string): boolean {
  const own = ownServer ?? environment().trackingUri;
  if (own === undefined) return mlflowLogin() !== undefined;
  return !readTrackingAddress(trackingUri, own).isOwn && mlflowLogin(parseAddress(own)) !== undefined;
}

function parseAddress(text: string | undefined): URL {
  if (!text) {
    throw new MlflowAddressInvalid('the address of the MLflow server is not set', {
      hint: 'set MLFLOW_TRACKING_URI; `npx nautil up` starts a server and prints its address',
    });
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  if (/^databricks(-uc)?(:|$)/.test(text)) {
    throw new MlflowAddressInvalid(`MLflow tracking address ${text}: Databricks is not supported`, {
      hint: "its artifacts are reached through Databricks' own client only; what works is the http(s) address of an MLflow server that stores artifacts itself (`mlflow server --artifacts-destination`)",
    });
  }
  throw new MlflowAddressInvalid(`MLflow tracking address ${text} is not http:// or https://`, {
    hint: 'Nautil tracks runs on a server; `npx nautil up` starts one and prints its address',
  });
}
