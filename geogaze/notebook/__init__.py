"""What a notebook uses: ``geogaze.explain`` and ``geogaze.open_results``, arrays in and out."""
