"use strict";
(() => {
  const make = (name, set, ...inside) => {
    const element = Object.assign(document.createElement(name), set);
    element.append(...inside);
    return element;
  };
  const section = document.getElementById("blocks");
  if (section) {
    const blocks = [...section.querySelectorAll("details.block")];
    const search = make("input", { type: "search", placeholder: "number, fork, executor" });
    const order = make("select", {},
      ...["number", "gas", "speedup"].map((key) => make("option", { value: key }, key)));
    const wrong = make("input", { type: "checkbox" });
    const count = make("output", {});
    const show = () => {
      const words = search.value.toLowerCase().split(" ").filter(Boolean);
      let shown = 0;
      for (const block of blocks) {
        const text = block.querySelector("summary").textContent.toLowerCase();
        const fits = words.every((word) => text.includes(word));
        block.hidden = !fits || (wrong.checked && !("wrong" in block.dataset));
        shown += block.hidden ? 0 : 1;
      }
      count.textContent = `${shown} of ${blocks.length}`;
    };
    const sort = () => {
      const key = order.value;
      const value = (block) => Number(block.dataset[key]);
      const down = key === "gas" ? -1 : 1;
      section.append(...blocks.sort((a, b) => down * (value(a) - value(b))));
    };
    search.addEventListener("input", show);
    wrong.addEventListener("change", show);
    order.addEventListener("change", sort);
    section.querySelector("h2").after(make("div", { className: "tools" },
      make("label", {}, "Search", search), make("label", {}, "Sort by", order),
      make("label", {}, wrong, "only mismatches"), count));
    show();
  }
  const data = document.getElementById("data");
  const save = make("button", { type: "button" }, "Save the results as JSON");
  save.addEventListener("click", async () => {
    const gzip = Uint8Array.from(atob(data.textContent), (char) => char.charCodeAt(0));
    const text = new Blob([gzip]).stream().pipeThrough(new DecompressionStream("gzip"));
    const type = { headers: { "content-type": "application/json" } };
    const url = URL.createObjectURL(await new Response(text, type).blob());
    make("a", { href: url, download: "blockrace.json" }).click();
    URL.revokeObjectURL(url);
  });
  document.querySelector("#facts h2").after(make("p", { className: "tools" }, save));
})();
