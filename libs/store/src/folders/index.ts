export { closeHome } from './close-home.js';
export { contains, createFolder, createFolderSync, fileMode, isInHome, readableAsFolder } from './create-folder.js';
export { homeId } from './home-id.js';
export { defaultFolder, isCheckout, nautilHome, packageRoot } from './package-root.js';
export { folderName, runFolder, runsFolder } from './run-folder.js';
export { syncFolder, syncFolderSync } from './sync-folder.js';
