export { isHttp, versionAt } from './download-request.js';
export { ChecksumMismatch, fetchFile } from './fetch-file.js';
export { fetchFromHub, hubProblem, HubRefused, HubUnavailable } from './fetch-from-hub.js';
export { NotDownloaded } from './not-downloaded.js';
export { isArchive, unpackArchive } from './unpack-archive.js';
export { cachedSnapshot, hubCacheFolder, hubRepositoryFolder, isHubName, type HubRepository } from './hub-cache.js';
