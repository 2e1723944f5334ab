// The service names one address in the URLs of pictures and uploads, such as 127.0.0.1. A page that was opened under another
// name of the same machine, such as localhost, would not be allowed to load them.

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * The URL on this page's origin, if both are this machine.
 * @param {string} url
 */
export function onThisOrigin(url) {
  const { port, hostname, pathname, search } = new URL(url, location.href);
  const isSame = port === location.port && LOOPBACK.has(hostname) && LOOPBACK.has(location.hostname);
  return isSame ? pathname + search : url;
}
