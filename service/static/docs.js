// Shows the description of this server. Nothing is asked of any other.

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#description",
  deepLinking: true, // the address names the operation that is open
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  queryConfigEnabled: false, // or the address could name another description
  validatorUrl: null, // or the description would be sent to a stranger
});
