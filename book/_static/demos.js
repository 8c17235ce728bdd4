/* Sliders of rnncourse.demos on a static page: one <template> a frame, counted with the last slider fastest. */
document.addEventListener("DOMContentLoaded", () => {
  for (const demo of document.querySelectorAll(".demo")) {
    const inputs = [...demo.querySelectorAll("input[type=range]")];
    const frames = demo.querySelectorAll("template");
    const stage = demo.querySelector(".demo-stage");
    const show = () => {
      let index = 0;
      for (const input of inputs) {
        const names = JSON.parse(input.dataset.names);
        index = index * names.length + Number(input.value);
        input.nextElementSibling.textContent = names[input.value];
        input.setAttribute("aria-valuetext", names[input.value]);
      }
      stage.replaceChildren(frames[index].content.cloneNode(true));
    };
    for (const input of inputs) input.addEventListener("input", show);
    demo.querySelector(".demo-controls").hidden = false;
    show();  // a browser may restore a slider's place after a reload
  }
});
