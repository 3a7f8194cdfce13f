// A browser without a screen: follows redirects, keeps cookies, and fills in each form that it is shown.

// Walks from a URL until there is no form more, or until `isEnd` takes a URL, which is given then. Fields that have a
// value keep it.
export async function walk(start, answers, isEnd = () => false) {
  const cookies = new Map();
  let [url, options] = [start, {}];
  for (let step = 0; step < 20; step += 1) {
    if (isEnd(url)) return url;
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...options, redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name, ...value] = line.split(';')[0].split('=');
      cookies.set(name, value.join('='));
    }
    const location = response.headers.get('location');
    if (location) {
      [url, options] = [new URL(location, url), {}];
      continue;
    }
    const page = await response.text();
    if (response.status !== 200) throw new Error(`the provider answered ${response.status}: ${page}`);
    const form = page.match(/<form[^]*<\/form>/)?.[0];
    if (!form) return url;
    const body = new URLSearchParams();
    for (const [field] of form.matchAll(/<input[^>]*>/g)) {
      const [name, value] = ['name', 'value'].map((member) => field.match(new RegExp(`${member}="([^"]*)"`))?.[1]);
      if (name) body.set(name, value || answers[name]);
    }
    [url, options] = [new URL(form.match(/action="([^"]+)"/)[1], url), { method: 'POST', body }];
  }
  throw new Error('the sign-in does not come to an end');
}
