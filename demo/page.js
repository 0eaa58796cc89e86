"use strict";
/* Once a second: the figures, what has arrived, and how long the changes of the ads on this page took.
   Without it the page works all the same, with the figures of the moment when it was made. */
const at = id => document.getElementById(id);
const words = {c: "new", u: "changed", d: "gone"};
let after = 0;

function show(ms) {
	if (ms === null || ms === undefined) return "–";
	if (ms >= 10000) return (ms / 1000).toFixed(0) + " s";
	if (ms >= 1000) return (ms / 1000).toFixed(1) + " s";
	return (ms < 10 ? ms.toFixed(1) : ms.toFixed(0)) + " ms";
}

function figure(id, text) {
	const [value, unit] = text.split(" ");
	at(id).replaceChildren(value);
	if (unit) {
		const small = document.createElement("small");
		small.textContent = " " + unit;
		at(id).append(small);
	}
}

function spark(medians) {
	const seen = medians.map((ms, x) => [x, ms]).filter(([, ms]) => ms !== null);
	const most = Math.max(1, ...seen.map(([, ms]) => ms));
	at("spark").setAttribute("points",
		seen.map(([x, ms]) => `${x},${(43 - 40 * ms / most).toFixed(1)}`).join(" "));
}

function feed(arrived) {
	const list = at("feed");
	for (const one of arrived) {
		after = Math.max(after, one.number);
		if (!list) continue;
		const item = document.createElement("li");
		const parts = [["op " + one.op, words[one.op]], ["what", one.title || one.table], ["ms", show(one.ms)]];
		for (const [kind, text] of parts) {
			const part = document.createElement("span");
			part.className = kind;
			part.textContent = text;
			item.append(part);
		}
		item.children[1].title = one.title;
		list.prepend(item);
	}
	while (list && list.children.length > 16) list.lastChild.remove();
}

async function look() {
	const own = [...document.querySelectorAll("[data-ad]")];
	const answer = await fetch(`/api/live?after=${after}&ads=${own.map(one => one.dataset.ad).join(",")}`);
	const now = await answer.json();
	figure("p50", show(now.minute.p50));
	figure("p99", show(now.minute.p99));
	figure("count", now.minute.count.toLocaleString("en"));
	spark(now.minute.medians);
	feed(now.recent);
	for (const one of own) {
		one.textContent = now.ads[one.dataset.ad] || one.textContent;
	}
}

async function go() {
	try {
		await look();
		at("gone").hidden = true;
	} catch {
		at("gone").hidden = false;
	}
	setTimeout(go, document.hidden ? 5000 : 1000);
}
at("chart").hidden = false;
if (at("arriving")) at("arriving").hidden = false;
go();
