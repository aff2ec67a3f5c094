// Pictures.

const kPictures = {
  "distilled.png": "learned images",
  "distilled_over_time.png": "the first of each class over the outer steps",
  "samples.png": "samples from the same noise before and after tuning",
  "attribution.png": "the training examples that helped and that harmed most",
};

/// Those that show what was found.
const kLearned = ["distilled.png"];

/// Those that need the width of the page.
const kWide = ["attribution.png"];

const imagesOf = ({images}) =>
    objects(images).filter(({data}) => String(data).startsWith("data:image/"));

/// `of`: a run, or whatever else has a label.
function addImages(place, of, images) {
  if (images.length === 0) return;
  place.append(element("div", {class: "images"}, images.map(({name, data}) => {
    const image = element("img", {src: data, alt: `${name} of ${of.label}`});
    image.addEventListener("load", () => {  // small ones grow by a whole factor
      const factor = Math.max(1, Math.floor(448 / image.naturalWidth));
      image.width = factor * image.naturalWidth;
      image.classList.toggle("enlarged", factor > 1);
      image.classList.toggle("wide", kWide.includes(name));
    });
    return element("figure", {}, element("figcaption", {}, kPictures[name] ?? String(name),
        element("span", {class: "note"}, kPictures[name] ? name : "")), image);
  })));
}
