declare module 'swagger-ui-dist/absolute-path.js' {
  /** Folder that holds the viewer's files. The package's main entry would load the whole viewer to say so. */
  const absolutePath: () => string;
  export = absolutePath;
}
