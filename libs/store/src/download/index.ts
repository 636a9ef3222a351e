export { isHttp, versionAt } from './download-request.js';
export { ChecksumMismatch, fetchFile } from './fetch-file.js';
export { fetchFromHub, hubEndpoint, HubRefused, HubUnavailable } from './fetch-from-hub.js';
export { isArchive, unpackArchive } from './unpack-archive.js';
