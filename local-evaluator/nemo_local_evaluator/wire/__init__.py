"""Documents of the v1 REST API, and what applies to every document.

Schemas, errors, quirks, limits of size and depth, ids and times, and the masking of secrets. Every other
package may import these modules; they import only each other.
"""
